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
const failed = results.filter(({ status }) => status === 'rejected')
console.log(`${count - failed.length} of ${count} succeeded`)
for (const { reason } of failed.slice(0, 2)) console.log(reason.message)
