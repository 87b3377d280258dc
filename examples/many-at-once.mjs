// Runs 64 programs at once. Starts happen off this thread, so it stays responsive meanwhile.
//
//   node examples/many-at-once.mjs [COUNT]

import { commandRoot, openRoot } from 'command-root'

const count = Number(process.argv[2] ?? 64)

const root = openRoot('/bin')
const runs = Array.from({ length: count }, (_, i) =>
  commandRoot(root, 'sh', ['-c', `exit ${i % 3}`], { check: true }).output(),
)
const results = await Promise.allSettled(runs)
const reasons = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []))
console.log(`${count - reasons.length} of ${count} succeeded`)
for (const reason of reasons.slice(0, 2)) console.log(reason.message)
