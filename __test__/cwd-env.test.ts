// The working directory and the environment that a program gets.

import fs from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import test from 'ava'
import { type CommandOptions, CommandRootError, commandRoot, openRoot } from 'command-root'
import { events, plain, thrown, ways } from './support/compare.ts'
import { rejects } from './support/fail.ts'
import { askParent } from './support/parents.ts'
import { environment, parseReport, programs } from './support/programs.ts'
import { isRoot, openDescriptors, scratch, until } from './support/system.ts'

const root = openRoot(programs)
const report = (options: CommandOptions = {}) =>
  parseReport(commandRoot(root, 'reporter', ['report'], options).outputSync().stdout)

// ---- cwd -----------------------------------------------------------------------------------------

test('every form of cwd', (t) => {
  const directory = scratch(t)
  fs.mkdirSync(path.join(directory, 'a', 'b'), { recursive: true })
  fs.symlinkSync('a/b', path.join(directory, 'link'))
  using place = openRoot(directory)
  using sub = place.openRoot('a')
  for (const [cwd, expected] of [
    [undefined, process.cwd()],
    [directory, directory],
    [pathToFileURL(directory), directory],
    [path.relative(process.cwd(), directory), directory],
    [path.join(directory, 'link'), path.join(directory, 'a', 'b')],
    [place, directory],
    [sub, path.join(directory, 'a')],
    [{ root: place, path: '.' }, directory],
    [{ root: place, path: 'a/b' }, path.join(directory, 'a', 'b')],
    [{ root: place, path: 'link' }, path.join(directory, 'a', 'b')],
    [{ root: sub, path: 'b' }, path.join(directory, 'a', 'b')],
  ] as const) {
    const seen = report({ cwd })
    t.is(seen.cwd, expected, String(cwd))
    t.is(seen.cwdIno, fs.statSync(expected).ino)
  }
})

test('a cwd in a Root is the directory held open, wherever it is now', (t) => {
  const directory = scratch(t)
  fs.mkdirSync(path.join(directory, 'work'))
  using work = openRoot(path.join(directory, 'work'))
  fs.renameSync(path.join(directory, 'work'), path.join(directory, 'moved'))
  fs.symlinkSync('/', path.join(directory, 'work'))
  t.is(report({ cwd: work }).cwd, path.join(directory, 'moved'))
})

test('a cwd beneath a Root cannot lead out', async (t) => {
  const directory = scratch(t)
  fs.symlinkSync('/', path.join(directory, 'out'))
  using place = openRoot(directory)
  for (const name of ['..', '/', 'out', 'out/usr']) {
    const error = await rejects(
      t,
      commandRoot(root, 'reporter', [], { cwd: { root: place, path: name } }).output(),
      'ERR_PATH_ESCAPES_ROOT',
      [name],
    )
    t.is(error.path, name)
  }
})

test.serial('a cwd that is none', async (t) => {
  const directory = scratch(t)
  fs.writeFileSync(path.join(directory, 'file'), '')
  using place = openRoot(directory)
  const closed = openRoot(directory)
  closed.close()
  await commandRoot(root, 'reporter').output() // what the first run opens for good
  const before = openDescriptors()
  for (const [cwd, code] of [
    [path.join(directory, 'missing'), 'ENOENT'],
    [path.join(directory, 'file'), 'ENOTDIR'],
    [path.join(directory, 'x'.repeat(5000)), 'ENAMETOOLONG'],
    [{ root: place, path: 'missing' }, 'ENOENT'],
    [{ root: place, path: 'file' }, 'ENOTDIR'],
    [{ root: place, path: '' }, 'ENOENT'],
    [closed, 'ERR_ROOT_CLOSED'],
    [{ root: closed, path: '.' }, 'ERR_ROOT_CLOSED'],
  ] as const) {
    const error = await rejects(t, commandRoot(root, 'reporter', [], { cwd }).output(), code, [], JSON.stringify(cwd))
    t.true(error instanceof CommandRootError)
    t.is(typeof error.step, code === 'ERR_ROOT_CLOSED' ? typeof error.step : 'string')
  }
  await until(() => openDescriptors() <= before)
})

test('cwds that fail, beside child_process', async (t) => {
  const directory = scratch(t)
  fs.writeFileSync(path.join(directory, 'file'), '')
  for (const cwd of ['', path.join(directory, 'missing'), path.join(directory, 'file')]) {
    const seen = async (start: typeof ways.ours) => {
      let result: unknown
      const error = thrown(() => {
        result = start(['exit', '3'], { cwd })
      })
      if (error) return { thrown: (plain(error) as { code: string }).code }
      const all = await events(result as ReturnType<typeof ways.ours>)
      return all.map(([name, first]) => [name, (first as { code?: string } | undefined)?.code ?? first])
    }
    t.deepEqual(await seen(ways.ours), await seen(ways.node), cwd)
  }
})

test('a working directory that was removed is handed on as it is, as with child_process', async (t) => {
  const cwds = (way: string) => askParent<string>('removed-cwd.mjs', { args: [way, programs, scratch(t)] })
  const [ours, nodes] = [await cwds('ours'), await cwds('node')]
  t.regex(nodes, /\(deleted\)$/)
  t.regex(ours, /\(deleted\)$/)
})

const asUser = isRoot ? test.skip : test
asUser(`a directory that may be entered but not read is a cwd${isRoot ? ' (root reads everything)' : ''}`, (t) => {
  const directory = scratch(t)
  fs.chmodSync(directory, 0o111)
  t.is(report({ cwd: directory }).cwd, directory)
})

// ---- env -----------------------------------------------------------------------------------------

/** What child_process gives the same program. */
async function nodesEnvironment(env: NodeJS.ProcessEnv | undefined): Promise<string[]> {
  const { text } = await import('./support/compare.ts')
  return parseReport(await text(ways.node(['report'], env ? { env } : {}).stdout)).env
}

test('env is the whole environment, as with child_process', async (t) => {
  for (const env of [
    {},
    { A: '1' },
    { B: '2', A: '1', C: '' },
    { EMPTY: '', SPACE: ' ', LINES: 'a\nb', EQUALS: 'a=b=c', ä日: '😀' },
    { GONE: undefined, THERE: 'x' },
    Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`N${index}`, 'x'.repeat(100)])),
  ]) {
    t.deepEqual(
      [...report({ env: env as Record<string, string> }).env].sort(),
      [...(await nodesEnvironment(env))].sort(),
    )
  }
})

test('without env it is process.env at the start, as with child_process', async (t) => {
  process.env.COMMAND_ROOT_ADDED = 'ä'
  t.teardown(() => delete process.env.COMMAND_ROOT_ADDED)
  const command = commandRoot(root, 'reporter', ['report'])
  const seen = async () => parseReport((await command.output()).stdout)
  t.deepEqual([...(await seen()).env].sort(), [...(await nodesEnvironment(undefined))].sort())
  t.is(environment(await seen()).COMMAND_ROOT_ADDED, 'ä')
  process.env.COMMAND_ROOT_ADDED = 'changed'
  t.is(environment(await seen()).COMMAND_ROOT_ADDED, 'changed')
  delete process.env.COMMAND_ROOT_ADDED
  t.false('COMMAND_ROOT_ADDED' in environment(await seen()))
})

test('nothing is added, whatever the cwd', (t) => {
  t.deepEqual(report({ env: {}, cwd: '/' }).env, [])
})

test('clearEnv inherits nothing', (t) => {
  t.deepEqual(report({ clearEnv: true }).env, [])
  t.deepEqual(report({ clearEnv: true, env: { A: '1' } }).env, ['A=1'])
  t.true(report({ clearEnv: false }).env.length > 0)
})

test('a worker’s process.env is what its children get', async (t) => {
  const { inherited, shared } = await askParent<{ inherited: string[]; shared: string[] }>('worker-env.mjs', {
    args: [programs],
  })
  t.true(inherited.includes('FROM_WORKER=yes'))
  t.false(shared.includes('FROM_WORKER=yes'), 'and not what the main thread’s get')
})
