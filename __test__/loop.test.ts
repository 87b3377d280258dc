// How ends come into the event loop: in Node's own, or by the engine's thread where that cannot be had.

import test from 'ava'
import { askParent } from './support/parents.ts'
import { programs } from './support/programs.ts'

interface Told {
  order: string[]
  right: boolean
  own: string[]
}

const ask = (way: string, env: NodeJS.ProcessEnv = { COMMAND_ROOT_THREAD: '0' }): Promise<Told> =>
  askParent<Told>('loop.mjs', { args: [way, programs], env: { ...process.env, ...env } })

test('many ends at once: ticks and promises have their turn between two, as with child_process', async (t) => {
  const [node, ours] = await Promise.all([ask('node'), ask('ours')])
  t.deepEqual(ours, node)
  t.true(ours.right)
  t.deepEqual(ours.order.slice(0, 6), ['exit', 'tick', 'promise', 'exit', 'tick', 'promise'])
  t.deepEqual(ours.own, [], 'spawn() needs no thread')
})

test('by the thread: the same ends', async (t) => {
  const { order, right, own } = await ask('ours', { COMMAND_ROOT_THREAD: '1' })
  t.true(right)
  t.is(order.filter((event) => event === 'exit').length, 41)
  t.deepEqual(own, ['command-root'])
})
