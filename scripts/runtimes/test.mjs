// Runs __test__/runtimes/suite.mjs in every runtime:
//
//   npm run test:runtimes                      all of them
//   npm run test:runtimes -- deno workers      one of them, and of the suite what holds that word
//
// They come as npm packages into target/tools/; one that cannot be had is skipped with its reason.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import path from 'node:path'
import process from 'node:process'
import test from 'node:test'
import { programOf, reasonOf, repository } from '../pack/tools.mjs'
import { RUNTIMES } from './list.mjs'

/** Shows what a program says as it comes; resolves with how it ended. */
function follow(program, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: repository, stdio: ['ignore', 'inherit', 'inherit'] })
    child.on('error', reject)
    child.on('close', (code, signal) => resolve(signal ?? code))
  })
}

const suite = path.join(repository, '__test__', 'runtimes', 'suite.mjs')
const [one, ...words] = process.argv.slice(2)
const chosen = RUNTIMES.filter(({ name }) => one === undefined || name === one)
if (chosen.length === 0) throw new Error(`no runtime is called ${one}: ${RUNTIMES.map(({ name }) => name).join(' ')}`)

for (const runtime of chosen) {
  test(runtime.wanted, async (t) => {
    let program
    try {
      program = programOf(runtime)
    } catch (error) {
      return t.skip(reasonOf(error))
    }
    console.log(`\n── ${runtime.wanted}`)
    assert.equal(await follow(program, [...(runtime.args ?? []), suite, ...words]), 0)
  })
}
