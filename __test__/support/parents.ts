// Runs a script of fixtures/ in a Node of its own and gives what it printed as JSON: for tests that change or count
// what a whole process has.

import { spawn } from 'node:child_process'
import path from 'node:path'
import { reporter, repository } from './programs.ts'

export interface ParentOptions {
  args?: readonly string[]
  /** the reporter's commands, carried out before it becomes Node */
  before?: readonly string[]
  /** a program that becomes Node in its turn, and its words */
  launcher?: readonly string[]
  nodeOptions?: readonly string[]
  env?: NodeJS.ProcessEnv
}

export interface Ended {
  code: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
}

export async function runParent(script: string, options: ParentOptions = {}): Promise<Ended> {
  const { args = [], before = [], launcher = [], nodeOptions = [], env = process.env } = options
  const node = [process.execPath, ...nodeOptions, path.join(repository, '__test__', 'fixtures', script), ...args]
  const child = spawn(reporter, [...before, 'exec', ...launcher, ...node], {
    env,
    cwd: repository,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let [stdout, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    stdout += chunk
  })
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    stderr += chunk
  })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }))
  })
}

/** The one JSON value that the script printed; whatever else happened is an error. */
export async function askParent<Answer>(script: string, options?: ParentOptions): Promise<Answer> {
  const ended = await runParent(script, options)
  if (ended.code !== 0) throw new Error(`${script} ended with ${ended.signal ?? ended.code}: ${ended.stderr}`)
  return JSON.parse(ended.stdout) as Answer
}
