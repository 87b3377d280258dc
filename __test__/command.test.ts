// A Command: lazy, reusable, a copy of what it was given; and what argv the program gets.

import fs from 'node:fs'
import path from 'node:path'
import test from 'ava'
import { Command, type CommandOptions, commandFd, commandRoot, openRoot } from 'command-root'
import fc from 'fast-check'
import { plain, text, thrown, ways } from './support/compare.ts'
import { refuses, untyped } from './support/fail.ts'
import { parseReport, programs, reporter } from './support/programs.ts'
import { childrenOf, openDescriptors, scratch } from './support/system.ts'

const root = openRoot(programs)
const argvOf = (command: Command<string | Buffer>) => parseReport(command.outputSync().stdout).argv

test.serial('making a Command opens and starts nothing', (t) => {
  const [descriptors, children] = [openDescriptors(), childrenOf().length]
  const command = commandRoot(root, 'missing/../..', ['x'])
  const wrongPlace = commandRoot(root, 'reporter', [], { cwd: '/nowhere/at/all' })
  t.true(command instanceof Command)
  t.is(openDescriptors(), descriptors)
  t.is(childrenOf().length, children)
  t.throws(() => command.outputSync())
  t.throws(() => wrongPlace.outputSync())
})

test('a Command runs as often as it is asked to', async (t) => {
  const command = commandRoot(root, 'reporter', ['report'])
  const outputs = [
    await command.output(),
    command.outputSync(),
    ...(await Promise.all([command.output(), command.output()])),
  ]
  t.is(new Set(outputs.map(({ pid }) => pid)).size, outputs.length)
  for (const { stdout, pid } of outputs) t.is(parseReport(stdout).pid, pid)
})

test('it tells what it was made from', (t) => {
  const command = commandRoot(root, 'reporter', ['a', 'b'], { timeout: 5 })
  t.is(command.root, root)
  t.is(command.name, 'reporter')
  t.deepEqual(command.args, ['a', 'b'])
  t.is(command.options.timeout, 5)
  using executable = root.openExecutable('reporter')
  t.is(commandFd(executable).root, undefined)
  t.is(commandFd(executable).name, 'reporter')
  t.deepEqual(commandFd(executable).args, [])
})

test('arguments and options are copies, frozen through and through', (t) => {
  const args = ['report', '--', 'one']
  const env: Record<string, string> = { ONE: '1' }
  const stdio: ('pipe' | 'ignore')[] = ['ignore', 'pipe', 'ignore']
  const command = commandRoot(root, 'reporter', args, { env, stdio })
  args.push('two')
  env.TWO = '2'
  stdio[1] = 'ignore'
  const seen = parseReport(command.outputSync().stdout)
  t.deepEqual(seen.argv.slice(1), ['report', '--', 'one'])
  t.deepEqual(seen.env, ['ONE=1'])
  for (const frozen of [command.args, command.options, command.options.env, command.options.stdio])
    t.true(Object.isFrozen(frozen))
})

// ---- argv ----------------------------------------------------------------------------------------

test('arguments arrive as they were given, as with child_process', async (t) => {
  for (const args of [
    [],
    [''],
    ['', ' ', '\n', '\t', '"', "'", '\\', '$HOME', '*', '-', '--'],
    ['ä', '日本', '😀', '\u{fffd}', 'e\u0301'],
    ['x'.repeat(100_000)],
    Array.from({ length: 2000 }, (_, index) => `a${index}`),
  ]) {
    const seen = async (child: ReturnType<typeof ways.ours>) => parseReport(await text(child.stdout)).argv.slice(1)
    const given = ['report', '--', ...args]
    const [ours, nodes] = [await seen(ways.ours(given)), await seen(ways.node(given))]
    t.deepEqual(ours, nodes)
    t.deepEqual(ours.slice(2), args)
  }
})

test('whatever words there are arrive as argv and as environment', async (t) => {
  const word = fc.string({ unit: 'binary' }).filter((text) => !/\p{Surrogate}/u.test(text) && !text.includes('\0'))
  const name = word.filter((text) => text !== '' && !text.includes('='))
  await fc.assert(
    fc.asyncProperty(fc.array(word), fc.dictionary(name, word, { noNullPrototype: true }), async (args, env) => {
      const { stdout } = await commandRoot(root, 'reporter', ['report', '--', ...args], { env }).output()
      const seen = parseReport(stdout)
      t.deepEqual(seen.argv.slice(3), args)
      t.deepEqual(
        seen.env.sort(),
        Object.entries(env)
          .map((pair) => pair.join('='))
          .sort(),
      )
    }),
  )
})

test('argv0 is the absolute path at which the program was named', (t) => {
  const fd = fs.openSync(reporter, 'r')
  t.teardown(() => fs.closeSync(fd))
  using parent = openRoot(path.dirname(programs))
  using relative = openRoot(path.relative(process.cwd(), programs) || '.')
  using nested = parent.openRoot(path.basename(programs))
  using executable = root.openExecutable('reporter')
  for (const [command, argv0] of [
    [commandRoot(root, 'reporter'), reporter],
    [commandRoot(parent, `${path.basename(programs)}/reporter`), reporter],
    [commandRoot(relative, 'reporter'), reporter],
    [commandRoot(nested, 'reporter'), reporter],
    [commandFd(executable), reporter],
    [commandFd(fd), `/dev/fd/${fd}`],
    [commandRoot(root, 'reporter', [], { argv0: 'other name' }), 'other name'],
    [commandFd(fd, [], { argv0: '' }), ''],
  ] as const) {
    t.deepEqual(argvOf(command), [argv0])
    t.is(command.spawn().spawnargs[0], argv0)
  }
})

test('a program that finds itself by argv0 works', (t) => {
  const directory = scratch(t)
  fs.mkdirSync(path.join(directory, 'bin'))
  fs.copyFileSync(reporter, path.join(directory, 'bin', 'tool'))
  using here = openRoot(directory)
  const [argv0] = argvOf(commandRoot(here, 'bin/tool'))
  t.is(argv0, path.join(directory, 'bin', 'tool'))
})

test('arguments that are too many or too long are an error as with child_process', (t) => {
  const tooLong = ['x'.repeat(4 * 1024 * 1024)]
  const [ours, nodes] = [ways.ours, ways.node].map((start) => plain(thrown(() => start(tooLong)))) as Record<
    string,
    unknown
  >[]
  t.is(nodes?.code, 'E2BIG', 'thrown by child_process')
  for (const field of ['code', 'errno']) t.is(ours?.[field], nodes?.[field])
})

test('arguments of a wrong type are refused by name', (t) => {
  const start = (args: unknown) => untyped.commandRoot(root, 'reporter', args)
  for (const [args, code] of [
    ['report', 'ERR_INVALID_ARG_TYPE'],
    [7, 'ERR_INVALID_ARG_TYPE'],
    [[7], 'ERR_INVALID_ARG_TYPE'],
    [['a', undefined], 'ERR_INVALID_ARG_TYPE'],
    [[null], 'ERR_INVALID_ARG_TYPE'],
    [['a\0b'], 'ERR_INVALID_ARG_VALUE'],
  ] as const) {
    const error = refuses(t, () => start(args), code, ['args'], JSON.stringify(args))
    t.true(error instanceof TypeError)
    t.true(String(error).includes(`[${code}]`))
  }
  t.deepEqual(start(undefined).args, [])
})

test('a root of a wrong type is refused by name', (t) => {
  for (const given of [undefined, null, '/usr', 7, {}, { fd: root.fd, name: root.name }]) {
    refuses(t, () => untyped.commandRoot(given, 'reporter'), 'ERR_INVALID_ARG_TYPE', ['root'], String(given))
  }
})

test('options are read once, own ones only', (t) => {
  let reads = 0
  const options = Object.create(
    { noNewPriv: true, timeout: 'wrong' },
    {
      argv0: {
        enumerable: true,
        get: () => {
          reads += 1
          return 'seen'
        },
      },
    },
  ) as CommandOptions
  const command = commandRoot(root, 'reporter', ['report'], options)
  t.is(reads, 1)
  t.is(argvOf(command)[0], 'seen')
  t.is(argvOf(command)[0], 'seen')
  t.is(reads, 1)
})
