// probe(): found by trying, so what it says must be so.

import fs from 'node:fs'
import test from 'ava'
import { commandRoot, openRoot, probe } from 'command-root'
import { programs } from './support/programs.ts'

test('it tells what the contract says, in the contract’s words', (t) => {
  const found = probe()
  const words: Record<string, readonly unknown[]> = {
    platform: [process.platform],
    resolve: ['openat2', 'o-resolve-beneath', 'walk'],
    exec: ['execveat', 'fexecve', 'proc-fd', 'volfs', 'private-copy', 'none'],
    fork: ['vfork', 'fork'],
    wait: ['pidfd', 'kqueue', 'waitid'],
    pidfd: [true, false],
    cgroup: [true, false],
    userNamespaces: [true, false],
    noNewPrivs: [true, false],
    sealed: [true, false],
    executeCheck: [true, false],
  }
  t.deepEqual(Object.keys(found).sort(), [...Object.keys(words), 'attributes'].sort())
  for (const [name, allowed] of Object.entries(words)) {
    t.true(allowed.includes(Reflect.get(found, name)), `${name}: ${Reflect.get(found, name)}`)
  }
})

test('it says the same each time, and cannot be changed', (t) => {
  const [one, two] = [probe(), probe()]
  t.deepEqual(one, two)
  t.throws(() => (one.attributes as string[]).push('uid'))
})

test('pidfd is what a child has', async (t) => {
  const child = commandRoot(openRoot(programs), 'reporter', ['exit', '0'], { stdio: 'ignore' }).spawn()
  t.is(child.pidfd >= 0, probe().pidfd)
  await child.status
})

test('trying leaves nothing behind', (t) => {
  const open = () => fs.readdirSync('/proc/self/fd').length
  probe()
  const before = open()
  for (let round = 0; round < 10; round++) probe()
  t.is(open(), before)
})
