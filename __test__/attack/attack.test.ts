// A second process exchanges components and last components, and moves a directory out of the Root and back, while
// names are opened and programs started by both resolvers. Nothing outside is ever opened or run.
//
// `npm test` does a few thousand; `npm run test:attack` 100,000 openings and 10,000 starts for each resolver.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { askParent } from '../support/parents.ts'
import { attacker } from '../support/programs.ts'
import { scratch } from '../support/system.ts'

const full = process.env.COMMAND_ROOT_ATTACK === 'full'
const [opens, starts] = full ? [100_000, 10_000] : [4_000, 300]
const SECONDS = full ? 900 : 90

/**
 * root/ with `door`, which changes places with the link `trap`, `last` with the link `lure`, and `deep/moved`, which is
 * carried to outside/. Every program inside is one file, every one outside another.
 */
function layOut(t: ExecutionContext): string {
  const place = scratch(t)
  for (const directory of ['root/door', 'root/deep/moved/low', 'outside']) {
    fs.mkdirSync(path.join(place, directory), { recursive: true })
  }
  const copies = { inside: path.join(place, 'inside'), outside: path.join(place, 'outside-tool') }
  for (const [word, copy] of Object.entries(copies)) {
    fs.copyFileSync(attacker, copy)
    fs.appendFileSync(copy, `\n${word}`.padStart(8))
  }
  for (const name of ['tool', 'last', 'door/tool', 'deep/tool', 'deep/moved/low/tool']) {
    fs.linkSync(copies.inside, path.join(place, 'root', name))
  }
  for (const name of ['tool', 'outside/tool']) fs.linkSync(copies.outside, path.join(place, name))
  fs.writeFileSync(path.join(place, 'outside/this-is-outside'), '')
  fs.symlinkSync('../outside', path.join(place, 'root/trap'))
  fs.symlinkSync(path.join(place, 'outside/tool'), path.join(place, 'root/lure'))
  const identities = ['tool', '.', 'door', 'deep', 'deep/moved', 'deep/moved/low'].map((name) => {
    const { dev, ino } = fs.statSync(path.join(place, 'root', name), { bigint: true })
    return `${dev}:${ino}`
  })
  fs.writeFileSync(path.join(place, 'inside.json'), JSON.stringify(identities))
  return place
}

async function startAttacker(place: string): Promise<{ child: ChildProcess; stop(): Promise<Record<string, number>> }> {
  const child = spawn(attacker, ['attack', place, String(SECONDS)], { stdio: ['pipe', 'pipe', 'inherit'] })
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk
  })
  while (!text.includes('attacking')) await once(child.stdout, 'data')
  const stop = async () => {
    child.stdin.end()
    await once(child, 'close')
    return JSON.parse(text.slice(text.indexOf('{'))) as Record<string, number>
  }
  return { child, stop }
}

interface Seen {
  resolver: string
  raced: boolean
  names: Record<string, { opened: number; refused: number }>
  codes: Record<string, number>
  outside: string[]
  opened: number
  refused: number
  ran: number
  notStarted: number
}

for (const resolver of ['openat2', 'walk']) {
  test.serial(`nothing outside is opened or run while names change (${resolver})`, async (t) => {
    t.timeout(SECONDS * 1000)
    const place = layOut(t)
    const { child, stop } = await startAttacker(place)
    t.teardown(() => child.kill())
    const env = { ...process.env, COMMAND_ROOT_WALK: resolver === 'walk' ? '1' : '0' }
    const seen = await askParent<Seen>('attacked.mjs', { args: [place, String(opens), String(starts)], env })
    const attacks = await stop()

    const { names, outside, ...counts } = seen
    t.log(JSON.stringify({ ...counts, attacks }))
    if (seen.resolver !== resolver) t.log(`${resolver} cannot be had here`)
    t.deepEqual(outside, [])
    t.true(seen.raced, `each name was found and refused: ${JSON.stringify(names)}`)
    t.true(seen.opened + seen.refused >= opens)
    t.is(seen.ran + seen.notStarted, starts)
    t.true(seen.ran > 0 && seen.notStarted > 0)
    for (const [name, count] of Object.entries(attacks)) t.true(count > 100, `${name}: ${count}`)
  })
}
