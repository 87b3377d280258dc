// forkExec(): what it refuses by name, what asks for nothing, and what it returns.

import fs from 'node:fs'
import test, { type ExecutionContext } from 'ava'
import { AT_EMPTY_PATH, AT_FDCWD, type ForkExecAttr, forkExec, openRoot, Process } from 'command-root'
import { refuses } from './support/fail.ts'
import { untypedForkExec } from './support/low-level.ts'
import { programs, reporter, system } from './support/programs.ts'
import { childrenOf, openDescriptors } from './support/system.ts'

function open(t: ExecutionContext, file: string, flags: number | string = 'r'): number {
  const fd = fs.openSync(file, flags)
  t.teardown(() => fs.closeSync(fd))
  return fd
}

// ---- what is refused --------------------------------------------------------------------------------

const INVALID_VALUE = 'ERR_INVALID_ARG_VALUE'
const INVALID_TYPE = 'ERR_INVALID_ARG_TYPE'
const OUT_OF_RANGE = 'ERR_OUT_OF_RANGE'

test('wrong arguments are refused by name before anything happens', (t) => {
  const ok = [reporter, ['x', 'exit', '0']] as const
  const before = { descriptors: openDescriptors(), children: childrenOf() }
  for (const [args, code, words] of [
    [[], INVALID_TYPE, ['path']],
    [[7, ['x']], INVALID_TYPE, ['path']],
    [[new URL(`file://${reporter}`), ['x']], INVALID_TYPE, ['path']],
    [[`${reporter}\0`, ['x']], INVALID_VALUE, ['path']],
    [[reporter], INVALID_TYPE, ['argv']],
    [[reporter, 'x'], INVALID_TYPE, ['argv']],
    [[reporter, []], INVALID_VALUE, ['argv', 'empty']],
    [[reporter, ['x', 7]], INVALID_TYPE, ['argv[1]']],
    [[reporter, ['x', 'a\0b']], INVALID_VALUE, ['argv[1]']],
    [[...ok, 7], INVALID_TYPE, ['attr']],
    [[...ok, null], INVALID_TYPE, ['attr']],
    [[...ok, []], INVALID_TYPE, ['attr']],
    [[...ok, { dirfd: 3 }], INVALID_VALUE, ['attr.dirfd', 'dirFd']],
    [[...ok, { execfd: 3 }], INVALID_VALUE, ['attr.execfd', 'execFd']],
    [[...ok, { flags: 0 }], INVALID_VALUE, ['attr.flags']],
    [[...ok, { noNewPriv: true }], INVALID_VALUE, ['attr.noNewPriv', 'noNewPrivs']],
    [[...ok, { cwd: '/' }], INVALID_VALUE, ['attr.cwd']],
    [[...ok, { stdio: 'pipe' }], INVALID_VALUE, ['attr.stdio']],
    [[...ok, { signal: AbortSignal.timeout(1) }], INVALID_VALUE, ['attr.signal']],
    [[...ok, { seal: true }], INVALID_VALUE, ['attr.seal']],
    [[...ok, { timeout: 1 }], INVALID_VALUE, ['attr.timeout']],
    [[...ok, { env: { A: '1' } }], INVALID_TYPE, ['attr.env']],
    [[...ok, { env: ['A=1', 7] }], INVALID_TYPE, ['attr.env[1]']],
    [[...ok, { env: ['A=\0'] }], INVALID_VALUE, ['attr.env[0]']],
    [[...ok, { env: null }], INVALID_TYPE, ['attr.env']],
    [[...ok, { dir: 7 }], INVALID_TYPE, ['attr.dir']],
    [[...ok, { dir: new URL('file:///') }], INVALID_TYPE, ['attr.dir']],
    [[...ok, { dir: '/\0' }], INVALID_VALUE, ['attr.dir']],
    [[...ok, { dir: { root: 7, path: '.' } }], INVALID_TYPE, ['attr.dir.root']],
    [[...ok, { dir: { root: openRoot('/'), pat: '.' } }], INVALID_VALUE, ['attr.dir.pat', 'path']],
    [[...ok, { files: 'inherit' }], INVALID_TYPE, ['attr.files']],
    [[...ok, { files: [0, 'pipe'] }], INVALID_TYPE, ['attr.files[1]']],
    [[...ok, { files: [0, undefined] }], INVALID_TYPE, ['attr.files[1]']],
    [[...ok, { files: Array(2) }], INVALID_TYPE, ['attr.files[0]']],
    [[...ok, { files: [0, -1] }], OUT_OF_RANGE, ['attr.files[1]']],
    [[...ok, { files: [0, 1.5] }], OUT_OF_RANGE, ['attr.files[1]']],
    [[...ok, { files: [2 ** 31] }], OUT_OF_RANGE, ['attr.files[0]']],
    [[...ok, { scripts: 'yes' }], INVALID_VALUE, ['attr.scripts']],
    [[...ok, { scripts: true }], INVALID_TYPE, ['attr.scripts']],
    [[...ok, { at: 1 }], INVALID_TYPE, ['attr.at']],
    [[...ok, { at: null }], INVALID_TYPE, ['attr.at']],
    [[...ok, { dirFd: '3' }], INVALID_TYPE, ['attr.dirFd']],
    [[...ok, { dirFd: { fd: 3 } }], INVALID_TYPE, ['attr.dirFd', 'Root']],
    [[...ok, { dirFd: -1 }], OUT_OF_RANGE, ['attr.dirFd']],
    [[...ok, { dirFd: -101 }], OUT_OF_RANGE, ['attr.dirFd']],
    [[...ok, { dirFd: Number.NaN }], OUT_OF_RANGE, ['attr.dirFd']],
    [[...ok, { dirFd: 2 ** 31 }], OUT_OF_RANGE, ['attr.dirFd']],
    [[...ok, { dirFd: 3, at: false }], INVALID_VALUE, ['attr.at', 'dirFd']],
    [[...ok, { execFd: '3' }], INVALID_TYPE, ['attr.execFd']],
    [[...ok, { execFd: -1 }], OUT_OF_RANGE, ['attr.execFd']],
    [[...ok, { execFd: openRoot('/') }], INVALID_TYPE, ['attr.execFd']],
    [[...ok, { execFd: 3, at: true }], INVALID_VALUE, ['attr.at', 'execFd']],
    [[...ok, { execFd: 3, dirFd: 3 }], INVALID_VALUE, ['attr.dirFd', 'execFd']],
    [[...ok, { execFd: 3, dirFd: AT_FDCWD }], INVALID_VALUE, ['attr.dirFd', 'execFd']],
    [[...ok, { execFd: 3, atFlags: 0 }], INVALID_VALUE, ['attr.atFlags', 'execFd']],
    [[...ok, { execFd: 3, scripts: 'root' }], INVALID_VALUE, ['attr.scripts']],
    [[...ok, { atFlags: 0 }], INVALID_VALUE, ['attr.atFlags', 'dirFd']],
    [[...ok, { atFlags: AT_EMPTY_PATH, at: false }], INVALID_VALUE, ['attr.atFlags']],
    [[...ok, { at: true, atFlags: '0' }], INVALID_TYPE, ['attr.atFlags']],
    [[...ok, { at: true, atFlags: 1.5 }], OUT_OF_RANGE, ['attr.atFlags']],
    [[...ok, { at: true, atFlags: -1 }], OUT_OF_RANGE, ['attr.atFlags']],
    [[...ok, { at: true, atFlags: 0x10000 }], INVALID_VALUE, ['attr.atFlags', '0x10000']],
    [[...ok, { at: true, atFlags: 0x11100 }], INVALID_VALUE, ['attr.atFlags', '0x10000']],
    [[...ok, { at: true, atFlags: 0x200 }], INVALID_VALUE, ['attr.atFlags', '0x200']],
    [[...ok, { detached: 'yes' }], INVALID_TYPE, ['attr.detached']],
    [[...ok, { uid: -1 }], OUT_OF_RANGE, ['attr.uid']],
    [[...ok, { rlimits: { nofil: 3 } }], INVALID_VALUE, ['attr.rlimits.nofil', 'nofile']],
    [[...ok, { detached: true, pgid: 0 }], INVALID_VALUE, ['attr.pgid', 'attr.detached']],
    [[...ok, { detached: true, ctty: 3 }], OUT_OF_RANGE, ['attr.ctty', '< 3']],
    [[...ok, { detached: true, ctty: 0, files: [] }], OUT_OF_RANGE, ['attr.ctty', '< 0']],
    [[...ok, { chroot: '/tmp', dir: openRoot('/') }], INVALID_VALUE, ['attr.dir', 'attr.chroot']],
  ] as [unknown[], string, string[]][]) {
    const error = refuses(t, () => untypedForkExec(...args), code, words, JSON.stringify(args.slice(1)))
    t.true(error instanceof TypeError || error instanceof RangeError)
    t.true(String(error).includes(`[${code}]`))
  }
  t.deepEqual(childrenOf(), before.children)
})

test('what is not set, and what others put on Object.prototype, asks for nothing', (t) => {
  const names = ['dir', 'env', 'files', 'scripts', 'execFd', 'at', 'dirFd', 'atFlags', 'detached'] as const
  const unset = Object.fromEntries(names.map((name) => [name, undefined])) as ForkExecAttr
  t.is(forkExec(reporter, ['x', 'exit', '6'], unset).waitSync().code, 6)

  const directory = open(t, programs)
  const tampered: Record<string, unknown> = {
    fd: 0,
    path: '/bin/false',
    name: 'x',
    programFd: 0,
    root: 7,
    detached: true,
  }
  Object.assign(tampered, {
    execFd: 0,
    dirFd: 0,
    at: true,
    atFlags: 0,
    scripts: 'root',
    env: ['A=1'],
    cwd: '/',
    dir: '/',
  })
  Object.assign(tampered, { follow: false, cwdRoot: 7, programIdentity: 7, sha256: '', program: 7, state: 7, error: 7 })
  const codes: unknown[] = []
  Object.assign(Object.prototype, tampered)
  try {
    for (const attr of [
      undefined,
      {},
      { execFd: open(t, reporter) },
      { dirFd: directory },
      { dirFd: openRoot(programs) },
    ]) {
      codes.push(
        forkExec(
          attr && 'dirFd' in attr && Object.hasOwn(attr, 'dirFd') ? 'reporter' : reporter,
          ['x', 'exit', '7'],
          attr,
        ).waitSync().code,
      )
    }
    codes.push(openRoot(programs).startProcess('reporter', ['x', 'exit', '7']).waitSync().code)
  } finally {
    for (const name of Object.keys(tampered)) Reflect.deleteProperty(Object.prototype, name)
  }
  t.deepEqual(codes, [7, 7, 7, 7, 7, 7])
})

test('it returns a Process, which nobody else can make', (t) => {
  const child = forkExec(system('true').path, ['true'])
  t.true(child instanceof Process)
  t.deepEqual(Object.keys(child), ['pid'])
  t.is(child.waitSync().pid, child.pid)
  t.throws(() => Reflect.construct(Process, []), { code: 'ERR_ILLEGAL_CONSTRUCTOR' })
})
