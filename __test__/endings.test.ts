// What ends a program, and those it has started: killScope, forceKillAfter, waitDelay.

import test from 'ava'
import { type Command, type CommandOptions, commandRoot, openRoot } from 'command-root'
import { programs, system } from './support/programs.ts'
import { childrenOf, isAlive, until } from './support/system.ts'

const root = openRoot(programs)
const shell = system('sh')
const shellRoot = openRoot(shell.root)

type Options = CommandOptions<undefined, 'utf8'>

/** Prints the pid of a process it leaves behind, which holds its streams; then goes on as told. */
const leaving = (then: string, options: Options = {}, holder = 'sleep 60'): Command<string> =>
  commandRoot(shellRoot, shell.name, ['-c', `(exec ${holder}) & echo $!; ${then}`], { encoding: 'utf8', ...options })

const pidIn = (text: string): number => Number.parseInt(text, 10)

test.serial('by default only the child is ended, with killScope: group all that it started', async (t) => {
  const alone = await leaving('exec sleep 60', { timeout: 1000 }).output()
  t.deepEqual([alone.signal, alone.timedOut], ['SIGTERM', true])
  const survivor = pidIn(alone.stdout)
  t.true(isAlive(survivor))
  process.kill(survivor, 'SIGKILL')

  const group = await leaving('exec sleep 60', { timeout: 1000, killScope: 'group' }).output()
  t.deepEqual([group.signal, group.timedOut], ['SIGTERM', true])
  await until(() => !isAlive(pidIn(group.stdout)))
  t.pass()
})

test.serial('a group is reached though its leader has gone', async (t) => {
  for (const detached of [false, true]) {
    const output = await leaving('exit 0', { timeout: 1000, killScope: 'group', detached }).output()
    t.deepEqual([output.code, output.timedOut, output.success], [0, true, false])
    await until(() => !isAlive(pidIn(output.stdout)))
  }
  const sync = leaving('exit 0', { timeout: 1000, killScope: 'group' }).outputSync()
  t.true(sync.timedOut)
  await until(() => !isAlive(pidIn(sync.stdout)))
})

test.serial('kill() of spawn() reaches the group until close', async (t) => {
  const child = leaving('exit 0', { killScope: 'group' }).spawn()
  const said = new Promise<string>((resolve) => child.stdout?.once('data', (data: Buffer) => resolve(String(data))))
  const closed = new Promise((resolve) => child.once('close', resolve))
  const member = pidIn(await said)
  await child.status
  t.true(isAlive(member))
  t.is(child.pidfd, -1)
  t.true(child.kill())
  await closed
  await until(() => !isAlive(member))
  t.false(child.kill())
})

test.serial('forceKillAfter ends what does not heed its signal', async (t) => {
  const args = ['ignore', '15', 'out', 'ready', 'sleep', '60000']
  const options = { timeout: 1000, forceKillAfter: 50 }
  const output = await commandRoot(root, 'reporter', args, options).output()
  t.deepEqual([output.signal, output.timedOut, String(output.stdout)], ['SIGKILL', true, 'ready'])
  const sync = commandRoot(root, 'reporter', args, options).outputSync()
  t.deepEqual([sync.signal, sync.timedOut], ['SIGKILL', true])

  const child = commandRoot(root, 'reporter', args, { forceKillAfter: 50 }).spawn()
  await new Promise((resolve) => child.stdout.once('data', resolve))
  t.true(child.kill())
  t.deepEqual(await child.status, { code: null, signal: 'SIGKILL', success: false })
})

test.serial('forceKillAfter reaches what is left of a group', async (t) => {
  const stubborn = `${programs}/reporter ignore 15 out ready close-and-sleep 60000`
  const options = { killScope: 'group', forceKillAfter: 100, stdio: ['ignore', 'pipe', 'ignore'] } as const
  const script = `(exec ${stubborn}) & echo $!; exec sleep 60`
  const command = (timeout: number) =>
    commandRoot(shellRoot, shell.name, ['-c', script], { ...options, timeout, encoding: 'utf8' })
  const output = await command(1000).output()
  t.true(output.timedOut)
  await until(() => !isAlive(pidIn(output.stdout)))

  const child = command(0).spawn()
  let said = ''
  child.stdout.on('data', (data: Buffer) => {
    said += data
  })
  await until(() => said.includes('ready'))
  child.kill()
  await child.status
  await until(() => !isAlive(pidIn(said)))
  await until(() => !childrenOf().some(({ pid }) => pid === child.pid)) // its number was kept until then
  t.pass()
})

test.serial('pipes that others hold are waited for, or closed after waitDelay', async (t) => {
  const output = await leaving('exit 5', { waitDelay: 50 }).output()
  t.deepEqual([output.code, output.timedOut], [5, false])
  const holder = pidIn(output.stdout)
  t.true(isAlive(holder))
  process.kill(holder, 'SIGKILL')

  const sync = leaving('exit 5', { waitDelay: 0 }).outputSync()
  t.is(sync.code, 5)
  process.kill(pidIn(sync.stdout), 'SIGKILL')

  const child = leaving('exit 5', { waitDelay: 50 }).spawn()
  let said = ''
  child.stdout?.on('data', (data: Buffer) => {
    said += data
  })
  await new Promise((resolve) => child.once('close', resolve))
  t.is(child.exitCode, 5)
  t.true(isAlive(pidIn(said)))
  process.kill(pidIn(said), 'SIGKILL')

  const whole = await leaving('exit 5', {}, 'sh -c "sleep 0.2; echo late"').output()
  t.regex(whole.stdout, /^\d+\nlate\n$/)
})

test('disposal kills what does not heed its signal, after forceKillAfter or 5 s', async (t) => {
  for (const options of [{ forceKillAfter: 50 }, {}]) {
    let pid: number | undefined
    const args = ['ignore', '15', 'out', 'ready', 'sleep', '60000']
    const started = commandRoot(root, 'reporter', args, options).spawn()
    await new Promise((resolve) => started.stdout.once('data', resolve))
    {
      await using child = started
      pid = child.pid
    }
    t.deepEqual([started.signalCode, started.killed], ['SIGKILL', true])
    t.false(childrenOf().some((child) => child.pid === pid))
  }
})

test.serial('disposal ends the group', async (t) => {
  const child = leaving('exec sleep 60', { killScope: 'group' }).spawn()
  const member = pidIn(
    await new Promise<string>((resolve) => child.stdout?.once('data', (data) => resolve(String(data)))),
  )
  await child[Symbol.asyncDispose]()
  await until(() => !isAlive(member))
  t.is(child.signalCode, 'SIGTERM')
})
