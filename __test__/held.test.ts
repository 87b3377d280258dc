// What is held open belongs to its environment.

import test from 'ava'
import { askParent } from './support/parents.ts'
import { programs } from './support/programs.ts'

test('what a worker has not closed is closed with it', async (t) => {
  t.deepEqual(await askParent('held-in-worker.mjs', { args: [programs] }), { allClosed: true }, 'it waits until then')
})
