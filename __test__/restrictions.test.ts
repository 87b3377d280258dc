// What the JavaScript thread may not, when the package has long been in use, its children may not: by every way of
// starting, from the main thread and from a worker. The kernel keeps these things for each thread.

import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import test from 'ava'
import { runParent } from './support/parents.ts'
import { openPlace } from './support/privileges.ts'
import { parseReport, type Report, restrict } from './support/programs.ts'
import { scratch } from './support/system.ts'

const place = openPlace()

type Found = Record<'before' | 'after', Record<string, string>>

/** undefined: this system does not have it. */
async function restricted(what: string, words: string, where: string): Promise<Found | undefined> {
  const { code, stdout, stderr } = await runParent('restricted.mjs', {
    args: [place, restrict, words, ...(where === 'a worker' ? ['worker'] : [])],
    env: { ...process.env, RESTRICT: what },
  })
  if (code === 77) return undefined
  if (code !== 0) throw new Error(stderr)
  return JSON.parse(stdout) as Found
}

const lastCpu = String(os.cpus().length - 1)
const rows: [what: string, seen: (report: Report) => unknown, expected: unknown][] = [
  ['no-new-privs', (report) => report.noNewPrivs, '1'],
  ['nice', (report) => report.nice, 7],
  ['affinity', (report) => report.cpus, lastCpu],
  ['seccomp', (report) => [report.seccomp, report.noNewPrivs], ['2', '1']],
]

for (const where of ['the main thread', 'a worker']) {
  for (const [what, seen, expected] of rows) {
    test(`${what} of ${where}`, async (t) => {
      const found = await restricted(what, 'report', where)
      if (!found) {
        t.log('skipped: this system does not have it')
        t.pass()
        return
      }
      t.deepEqual(Object.keys(found.after), ['spawn', 'output', 'outputSync', 'lines', 'manyOutputs'])
      for (const [way, text] of Object.entries(found.after)) t.deepEqual(seen(parseReport(text)), expected, way)
      if (what !== 'affinity' || lastCpu !== '0')
        for (const [way, text] of Object.entries(found.before)) t.notDeepEqual(seen(parseReport(text)), expected, way)
    })
  }

  test(`Landlock of ${where}`, async (t) => {
    const directory = scratch(t)
    const found = await restricted('landlock', `mkdir ${path.join(directory, 'new')} exit 0`, where)
    if (!found) {
      t.log('skipped: this system does not have it')
      t.pass()
      return
    }
    t.is(found.before.spawn, 'made')
    for (const [way, text] of Object.entries(found.after)) t.is(text, 'refused', way)
    t.deepEqual(fs.readdirSync(directory), ['new'])
  })
}
