// Somebody who is the user that children become: he stops and kills whatever appears, and looks into its memory. No
// start hangs, and nobody reaches the memory of the process that starts them through a child in the middle of its start.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { commandRoot, openRoot } from 'command-root'
import { asRoot, openPlace, testWhere } from '../support/privileges.ts'
import { attacker } from '../support/programs.ts'
import { childrenOf, until } from '../support/system.ts'

const place = openPlace()
const root = openRoot(place)

/** A user that nobody else is. */
const somebody = 400_000_000 + Math.floor(Math.random() * 1_000_000)
const SECONDS = 100

/** The attacker as that user; it is told to end by the end of its input. */
async function attackAs(t: ExecutionContext, ...words: string[]) {
  const program = path.join(place, 'attacker')
  if (!fs.existsSync(program)) fs.copyFileSync(attacker, program)
  fs.chmodSync(program, 0o755)
  const child: ChildProcess = spawn(program, [...words, String(SECONDS)], {
    uid: somebody,
    gid: somebody,
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  let text = ''
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk
  })
  while (!text.includes('attacking')) await once(child.stdout as NodeJS.EventEmitter, 'data')
  return async () => {
    child.stdin?.end()
    await once(child, 'close')
    return JSON.parse(text.slice(text.indexOf('{'))) as Record<string, number>
  }
}

const options = { uid: somebody, gid: somebody, killSignal: 'SIGKILL', timeout: 300 } as const
const command = () => commandRoot(root, 'reporter', ['exit', '0'], options)

/** How it came out: a start that was killed or held says where; a program that was, how it ended. */
async function outcome(run: () => Promise<{ code: number | null; signal: string | null }>): Promise<string> {
  try {
    const { code, signal } = await run()
    return `ended with ${code ?? signal}`
  } catch (error) {
    const { code, step } = error as { code: string; step?: string }
    return step ? `${code} in the start` : String(error)
  }
}

const ways = {
  output: () => outcome(() => command().output()),
  outputSync: () => outcome(async () => command().outputSync()),
  spawn: () =>
    outcome(() => {
      const child = command().spawn()
      child.on('error', () => {})
      child.stdout.resume()
      child.stderr.resume()
      return child.status
    }),
}

async function startMany(count: number): Promise<Record<string, number>> {
  const outcomes: Record<string, number> = {}
  const start = Object.values(ways)
  const worker = async (first: number) => {
    for (let n = first; n < count; n += 8) {
      const how = await (start[n % start.length] ?? ways.output)()
      outcomes[how] = (outcomes[how] ?? 0) + 1
    }
  }
  await Promise.all(Array.from({ length: 8 }, (_, first) => worker(first)))
  return outcomes
}

testWhere(
  asRoot,
  'a thousand starts as a user who stops and kills whatever appears: none hangs, nothing is left',
  async (t) => {
    t.timeout(110_000)
    const before = childrenOf().length
    const stop = await attackAs(t, 'harass')
    const outcomes = await startMany(1000)
    const { hit = 0 } = await stop()
    t.log(`hit ${hit} times: ${JSON.stringify(outcomes)}`)
    t.true(hit > 0)
    t.is(
      Object.values(outcomes).reduce((sum, count) => sum + count, 0),
      1000,
    )
    const known = /^(ended with (0|SIGKILL)|(EINTR|ETIMEDOUT) in the start)$/
    t.deepEqual(
      Object.keys(outcomes).filter((how) => !known.test(how)),
      [],
    )
    await until(() => childrenOf().length <= before + 1)
    t.pass()
  },
  test.serial,
)

testWhere(
  asRoot,
  'nobody reaches this process’s memory through a child in its start',
  async (t) => {
    t.timeout(110_000)
    const maps = fs.readFileSync('/proc/self/maps', 'utf8').split('\n')
    const program = maps.find((line) => line.endsWith(fs.realpathSync('/proc/self/exe')))
    const address = program?.split('-')[0] ?? ''
    const stop = await attackAs(t, 'reach', address)
    await startMany(600)
    const { opened = 0, reached } = await stop()
    t.log(`memory was opened ${opened} times, of programs that ran`)
    t.true(opened > 0)
    t.is(reached, 0)
  },
  test.serial,
)
