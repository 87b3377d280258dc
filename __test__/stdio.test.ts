// Every form of stdio, beside child_process: which descriptors the child has, which streams the parent.

import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import type { Duplex } from 'node:stream'
import test, { type ExecutionContext } from 'ava'
import { type CommandOptions, commandRoot, openRoot } from 'command-root'
import { events, type Options, type Start, text, ways } from './support/compare.ts'
import { refuses } from './support/fail.ts'
import { parseReport, programs, readText } from './support/programs.ts'
import { openDescriptors, scratch, until } from './support/system.ts'

type Form = NonNullable<CommandOptions['stdio']>
const root = openRoot(programs)

/** A file in a directory of its own, open for writing. */
function openFile(t: ExecutionContext, name = 'report'): { file: string; fd: number } {
  const file = path.join(scratch(t), name)
  const fd = fs.openSync(file, 'w+')
  t.teardown(() => fs.closeSync(fd))
  return { file, fd }
}

/** A pipe is a pipe, whatever it is made of; all else by its name. */
const kind = (target: string) => (/^(pipe|socket):/.test(target) ? 'pipe' : target)

/** What descriptors the child has under this form, told through a file that is its last one. */
async function descriptors(t: ExecutionContext, start: Start, stdio: readonly unknown[]) {
  const { file, fd } = openFile(t)
  const child = start(['to', String(stdio.length), 'report'], { stdio: [...stdio, fd] as unknown as Form })
  const streams = child.stdio.map((stream) => stream !== null)
  for (const stream of child.stdio) (stream as Duplex | null)?.on('error', () => {})
  child.stdin?.end()
  await events(child)
  // Beyond what was asked for, child_process hands on what this process was started with; see start.test.ts.
  const seen = parseReport(readText(file)).fds.filter((one) => one.fd <= stdio.length)
  return {
    streams,
    named: [child.stdin, child.stdout, child.stderr].map((stream) => stream !== null),
    fds: seen.map(({ fd: number, target, cloexec, nonblock }) => [
      number,
      target === file ? 'the file' : kind(target),
      cloexec,
      nonblock,
    ]),
  }
}

/** Forms that child_process has too; made anew for each of the two runs. */
const forms: [string, (t: ExecutionContext) => readonly unknown[]][] = [
  ['pipes', () => ['pipe', 'pipe', 'pipe']],
  ['overlapped pipes', () => ['overlapped', 'overlapped', 'overlapped']],
  ['ignored', () => ['ignore', 'ignore', 'ignore']],
  ['null and undefined', () => [null, undefined, null]],
  ['one ignored', () => ['ignore', 'pipe', 'pipe']],
  ['a fourth pipe', () => ['ignore', 'ignore', 'ignore', 'pipe']],
  ['two more pipes', () => ['pipe', 'pipe', 'pipe', 'pipe', 'pipe']],
  ['a fourth ignored', () => ['ignore', 'ignore', 'ignore', 'ignore', 'pipe']],
  ['a fourth null', () => ['ignore', 'ignore', 'ignore', null, undefined]],
  ['a number', (t) => ['ignore', openFile(t, 'out').fd, 'ignore']],
  [
    'one number twice',
    (t) => {
      const { fd } = openFile(t, 'out')
      return ['ignore', fd, fd]
    },
  ],
  [
    'numbers crosswise',
    (t) => {
      const [one, two] = [openFile(t, 'one').fd, openFile(t, 'two').fd]
      return [two, one, two, one, two]
    },
  ],
  ['a number far up', (t) => ['ignore', 'ignore', 'ignore', ...Array(20).fill('ignore'), openFile(t, 'out').fd]],
  ['standard streams by number', () => ['ignore', 2, 2]],
  ['inherited', () => ['ignore', 'ignore', 'inherit']],
  ['a stream', () => ['ignore', process.stderr, 'ignore']],
  ['negative numbers', () => [-1, -1, -1]],
]
for (const [title, form] of forms) {
  test(`${title}: the same descriptors as with child_process`, async (t) => {
    const rename = (text: string) => text.replaceAll(/command-root-\w+/g, 'command-root-X')
    const seen = async (start: Start) => JSON.parse(rename(JSON.stringify(await descriptors(t, start, form(t)))))
    t.deepEqual(await seen(ways.ours), await seen(ways.node))
  })
}

test('short arrays and single words: the same streams as with child_process', async (t) => {
  for (const stdio of [
    undefined,
    'pipe',
    'overlapped',
    'ignore',
    [],
    ['ignore'],
    ['ignore', 'pipe'],
    [null],
  ] as Options['stdio'][]) {
    const streams = async (start: Start) => {
      const child = start(['exit', '0'], { stdio })
      const seen = child.stdio.map((stream) => stream !== null)
      await events(child)
      return seen
    }
    t.deepEqual(await streams(ways.ours), await streams(ways.node), JSON.stringify(stdio))
  }
})

test('0 to 2 are pipes, what is beyond them are sockets', async (t) => {
  const { file, fd } = openFile(t)
  const child = ways.ours(['to', '4', 'report'], { stdio: ['pipe', 'pipe', 'pipe', 'pipe', fd] })
  await events(child)
  const targets = parseReport(readText(file)).fds.map(({ target }) => target.replace(/:.*/, ''))
  t.deepEqual(targets.slice(0, 4), ['pipe', 'pipe', 'pipe', 'socket'])
})

test('any object with a number fd', async (t) => {
  const { file, fd } = openFile(t)
  const child = ways.ours(['out', 'here'], { stdio: ['ignore', { fd }, 'ignore'] })
  t.is(child.stdout, null)
  await events(child)
  t.is(readText(file), 'here')
  t.true(fs.fstatSync(fd).isFile(), 'it stays the caller’s')
})

test("'stdout' is the child's own descriptor 1, whatever that is", async (t) => {
  for (const stdio of [
    ['ignore', 'pipe', 'stdout'],
    ['ignore', 'pipe', 'ignore', 'stdout'],
    ['ignore', 'ignore', 'stdout'],
    ['ignore', openFile(t, 'out').fd, 'stdout', 'stdout'],
  ] as Form[]) {
    const { file, fd } = openFile(t)
    const list = stdio as readonly unknown[]
    const child = ways.ours(['to', String(list.length), 'report'], { stdio: [...list, fd] as unknown as Form })
    list.forEach((form, index) => {
      if (form === 'stdout') t.is(child.stdio[index], null)
    })
    await events(child)
    const { fds } = parseReport(readText(file))
    list.forEach((form, index) => {
      if (form === 'stdout') t.is(fds[index]?.target, fds[1]?.target, JSON.stringify(stdio))
    })
  }
})

test('2>&1 through one pipe keeps the order', async (t) => {
  const child = commandRoot(root, 'reporter', ['out', 'a', 'err', 'b', 'out', 'c'], {
    stdio: ['ignore', 'pipe', 'stdout'],
  }).spawn()
  t.is(child.stderr, null)
  t.is(await text(child.stdout), 'abc')
})

test('a pipe beyond 2 goes both ways', async (t) => {
  const echo = async (start: Start) => {
    const child = start(['to', '3', 'report'], { stdio: ['ignore', 'ignore', 'ignore', 'pipe'] })
    const stream = child.stdio[3] as Duplex
    const pid = parseReport(await text(stream)).pid
    return { same: pid === child.pid, writable: stream.writable !== undefined, isDuplex: typeof stream.write }
  }
  t.deepEqual(await echo(ways.ours), await echo(ways.node))
})

test('a stream handed on loses O_NONBLOCK as 0 to 2', async (t) => {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as net.AddressInfo
  const handed = async (start: Start) => {
    const accepted = once(server, 'connection') as Promise<[net.Socket]>
    const client = net.connect(port, '127.0.0.1')
    const [socket] = await accepted
    const { file, fd } = openFile(t)
    const child = start(['out', 'hello', 'to', '3', 'report'], {
      stdio: ['ignore', socket, 'ignore', fd] as unknown as Form,
    })
    await events(child)
    socket.destroy()
    const received = await text(client)
    return { received, nonblock: parseReport(readText(file)).fds[1]?.nonblock }
  }
  t.deepEqual(await handed(ways.ours), await handed(ways.node))
  server.close()
})

test('one program’s stdout is another’s stdin', async (t) => {
  const chain = async (start: Start) => {
    const from = start(['flood', '300000'])
    const to = start(['cat'], { stdio: [from.stdout as never, 'pipe', 'inherit'] })
    return (await text(to.stdout)).length
  }
  t.deepEqual(await chain(ways.ours), await chain(ways.node))
})

test('a program that closes its stdin makes writing fail, not the process', async (t) => {
  const failing = async (start: Start) => {
    const child = start(['close', '0', 'out', 'closed', 'sleep', '200'])
    const failed = once(child.stdin as Duplex, 'error') as Promise<[NodeJS.ErrnoException]>
    await once(child.stdout as Duplex, 'data')
    child.stdin?.write('x'.repeat(100_000))
    const [error] = await failed
    await events(child)
    return { code: error.code, syscall: error.syscall, errno: error.errno }
  }
  t.deepEqual(await failing(ways.ours), await failing(ways.node))
})

test('a slow reader holds the program back', async (t) => {
  const held = async (start: Start) => {
    const child = start(['flood', '20000000', 'err', 'done'])
    let done = false
    child.stderr?.once('data', () => {
      done = true
    })
    child.stdout?.pause()
    await new Promise((resolve) => setTimeout(resolve, 100))
    const early = done
    const { length } = await text(child.stdout)
    return { early, length }
  }
  t.deepEqual(await held(ways.ours), await held(ways.node))
})

test('a descriptor that is not open is EBADF, as with child_process', async (t) => {
  const codes = async (start: Start) => {
    try {
      const child: ChildProcess = start(['exit', '0'], { stdio: ['ignore', 'ignore', 'ignore', 987_654] })
      const seen = await events(child)
      return seen.map(([name]) => name)
    } catch (error) {
      return (error as NodeJS.ErrnoException).code
    }
  }
  t.deepEqual(await codes(ways.ours), await codes(ways.node))
  const before = openDescriptors()
  refuses(
    t,
    () => commandRoot(root, 'reporter', [], { stdio: ['pipe', 'pipe', 'pipe', 987_654] }).outputSync(),
    'EBADF',
  )
  await until(() => openDescriptors() <= before)
})

test('descriptors given are duplicated before spawn() returns', async (t) => {
  const file = path.join(scratch(t), 'file')
  const fd = fs.openSync(file, 'w')
  const command = commandRoot(root, 'reporter', ['sleep', '100', 'out', 'late'], { stdio: ['ignore', fd, 'ignore'] })
  const [child, running] = [command.spawn(), command.output()]
  fs.closeSync(fd)
  await Promise.all([child.status, running])
  t.is(readText(file), 'latelate')
})
