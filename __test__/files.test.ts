// ProcAttr.files: the descriptors that a child has, whatever numbers they and those that the start needs have here.

import fs from 'node:fs'
import path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { AT_EMPTY_PATH, type ForkExecAttr, forkExec, openRoot } from 'command-root'
import fc from 'fast-check'
import { refuses } from './support/fail.ts'
import { reported } from './support/low-level.ts'
import { askParent } from './support/parents.ts'
import { parseReport, type Report, reporter } from './support/programs.ts'
import { openDescriptors, scratch, until } from './support/system.ts'

const placesOf = ({ fds }: Report) => Object.fromEntries(fds.map(({ fd, target }) => [fd, target]))

// Whatever the first start opens is open from here on.
forkExec(reporter, ['x', 'exit', '0']).waitSync()

/** A file of this name, open for as long as the test runs. */
function file(t: ExecutionContext, directory: string, name: string): { fd: number; place: string } {
  const place = path.join(directory, name)
  const fd = fs.openSync(place, 'w+')
  t.teardown(() => fs.closeSync(fd))
  return { fd, place }
}

test('files[i] is what the child has as i, and it has nothing else', (t) => {
  const directory = scratch(t)
  const [a, b] = [file(t, directory, 'a'), file(t, directory, 'b')]
  for (const [tail, expected] of [
    [[], {}],
    [[a.fd], { 3: a.place }],
    [[a.fd, a.fd, b.fd], { 3: a.place, 4: a.place, 5: b.place }],
    [[null, b.fd], { 4: b.place }],
    [[null, null], {}],
    [[...Array<null>(30).fill(null), a.fd], { 33: a.place }],
  ] as [(number | null)[], object][]) {
    for (const head of [[a.fd], [null], [b.fd]]) {
      const seen = reported(t, (out) => forkExec(reporter, ['x', 'report'], { files: [...head, out, null, ...tail] }))
      const { 1: _out, ...rest } = placesOf(seen)
      t.deepEqual(rest, { ...(head[0] && { 0: head[0] === a.fd ? a.place : b.place }), ...expected })
      for (const { fd, cloexec } of seen.fds) t.false(cloexec, String(fd))
    }
  }
})

test('no files at all, and without `files` those of this process', (t) => {
  t.is(forkExec(reporter, ['x', 'exit', '3'], { files: [] }).waitSync().code, 3)
  const here = [0, 1, 2].map((fd) => fs.fstatSync(fd)).map(({ dev, ino }) => `${dev}:${ino}`)
  const script = 'for fd in 0 1 2; do stat -L -c %d:%i /proc/$$/fd/$fd; done'
  const there = file(t, scratch(t), 'there')
  const attr = { env: [`OUT=${there.place}`, 'PATH=/usr/bin:/bin'] }
  forkExec('/bin/sh', ['sh', '-c', `(${script}) > "$OUT"`], attr).waitSync()
  t.deepEqual(fs.readFileSync(there.place, 'utf8').trim().split('\n'), here)
})

test('a descriptor that is not open is refused, with both numbers', (t) => {
  const before = openDescriptors()
  for (const files of [[987_654], [0, 1, 2, 987_654], [...Array<null>(40).fill(null), 987_654]]) {
    const error = refuses(t, () => forkExec(reporter, ['x'], { files }), 'EBADF', ['987654', `${files.length - 1}`])
    t.deepEqual([error.step, error.syscall], ['fds', 'fcntl'])
  }
  t.true(openDescriptors() <= before)
})

test('what the caller gave stays open, and as it was', (t) => {
  const { fd, place } = file(t, scratch(t), 'mine')
  const flags = () => /^flags:.*$/m.exec(fs.readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[0]
  const before = flags()
  t.is(forkExec(reporter, ['x', 'out', 'words'], { files: [null, fd, null, fd] }).waitSync().code, 0)
  t.is(flags(), before)
  fs.writeSync(fd, ' more')
  t.is(fs.readFileSync(place, 'utf8'), 'words more')
})

test.serial('200 permutations over each other, the program and the directories', async (t) => {
  const directory = scratch(t)
  fs.mkdirSync(path.join(directory, 'dir'))
  fs.copyFileSync(reporter, path.join(directory, 'program'))
  const program = fs.openSync(path.join(directory, 'program'), 'r')
  const here = fs.openSync(directory, 'r')
  using root = openRoot(directory)
  const others = Array.from({ length: 8 }, (_, index) => file(t, directory, `file-${index}`))
  t.teardown(() => {
    for (const fd of [program, here]) fs.closeSync(fd)
  })
  const pool = [
    { fd: program, place: path.join(directory, 'program') },
    { fd: here, place: directory },
    { fd: root.fd, place: directory },
    ...others,
  ]
  const ways: [string, ForkExecAttr][] = [
    ['', { execFd: program }],
    ['', { at: true, dirFd: program, atFlags: AT_EMPTY_PATH }],
    ['program', { dirFd: here }],
    ['program', { dirFd: root }],
    ['../program', {}],
  ]
  const dirs = [path.join(directory, 'dir'), { root, path: 'dir' }]
  const before = openDescriptors()
  // The child's numbers reach beyond those that this process has, so that each of the start's own is in their way.
  const entry = fc.option(fc.nat(pool.length - 1), { freq: 4, nil: null })
  const entries = fc.array(entry, { minLength: 1, maxLength: 64, size: 'max' })
  fc.assert(
    fc.property(
      entries,
      fc.nat(),
      fc.constantFrom(...ways),
      fc.constantFrom(...dirs),
      (chosen, at, [name, attr], dir) => {
        const index = at % chosen.length
        const expected: Record<number, string> = {}
        const seen = reported(t, (out) => {
          const files = chosen.map((one, i) => (i === index ? out : one === null ? null : (pool[one]?.fd ?? null)))
          chosen.forEach((one, i) => {
            if (i === index) expected[i] = fs.readlinkSync(`/proc/self/fd/${out}`)
            else if (one !== null) expected[i] = pool[one]?.place ?? ''
          })
          return forkExec(name, ['x', 'to', String(index), 'report'], { ...attr, dir, files })
        })
        t.deepEqual(placesOf(seen), expected)
        t.is(seen.cwd, path.join(directory, 'dir'))
        t.is(seen.exe, path.join(directory, 'program'))
      },
    ),
    { numRuns: 200 },
  )
  await until(() => openDescriptors() <= before)
  t.true(openDescriptors() <= before)
})

for (const closed of ['0', '1', '2', '0,1', '0,2', '0,1,2']) {
  test(`with ${closed} closed in this process`, async (t) => {
    const answer = path.join(scratch(t), 'answer')
    await askParent('files-closed.mjs', { args: [reporter, answer, closed] }).catch(() => undefined) // it cannot print
    const { reports, codes, refused } = JSON.parse(fs.readFileSync(answer, 'utf8')) as {
      reports: string[]
      codes: number[]
      refused: string[]
    }
    for (const [i, numbers] of [[0, 1, 2], [1], [1, 3], [1, 2, 3, 4]].entries())
      t.deepEqual(
        parseReport(reports[i] ?? '').fds.map(({ fd }) => fd),
        numbers,
      )
    t.deepEqual(codes, [0, 0, 0, 0])
    t.deepEqual(refused, ['EBADF', 'fds'])
  })
}
