// The contenders, each a process of its own that answers questions (workers/). Peers of other languages are built, and
// other runtimes come as npm packages into target/tools; one that cannot be had is named, and its rows say so.
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const here = path.dirname(fileURLToPath(import.meta.url))
const built = path.join(here, '..', 'target', 'bench')
const workers = path.join(here, 'workers')
const javascript = path.join(workers, 'javascript.mjs')

const programs = {
  C: () => c('start'),
  Go: () => go(),
  ours: (options) => ({ command: process.execPath, args: ['--expose-gc', javascript, 'ours', ...numbers(options)] }),
  child_process: (options) => ({
    command: process.execPath,
    args: ['--expose-gc', javascript, 'child_process', ...numbers(options)],
  }),
  Bun: (options) => ({
    command: peer('@oven/bun-linux-x64@1.4.5', 'bin/bun'),
    args: [javascript, 'bun', ...numbers(options)],
  }),
  Deno: (options) => ({
    command: peer('@deno/linux-x64-glibc@2.9.6', 'deno'),
    args: ['run', '--allow-all', javascript, 'deno', ...numbers(options)],
  }),
}

const numbers = ({ memory = 0, descriptors = 0 }) => [String(memory), String(descriptors)]

/** A contender's process; null, and a line that says why, where it cannot be had. */
export function contender(name, options = {}) {
  try {
    const { command, args = [], env = {} } = programs[name](options)
    return worker(command, args, { ...env, ...options.env })
  } catch (error) {
    console.error(`bench: no ${name}: ${error.message.split('\n')[0]}`)
    return null
  }
}

/** A program that answers each line of its input with one of JSON. */
export function worker(command, args, env = {}) {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, ...env } })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return {
    async ask(question) {
      child.stdin.write(`${question}\n`)
      const { value, done } = await lines.next()
      if (done) throw new Error(`${path.basename(command)} ended at '${question}'`)
      return JSON.parse(value)
    },
    end: () => child.stdin.end(),
  }
}

/** workers/NAME.c, compiled. */
export function c(name) {
  mkdirSync(built, { recursive: true })
  const command = path.join(built, name)
  run('cc', ['-O2', '-Wall', '-Wextra', '-o', command, path.join(workers, `${name}.c`)])
  return { command }
}

function go() {
  mkdirSync(built, { recursive: true })
  const command = path.join(built, 'go-exec')
  run('go', ['build', '-o', command, 'main.go'], path.join(workers, 'go'))
  return { command }
}

function run(command, args, cwd) {
  const { error, status } = spawnSync(command, args, { cwd, stdio: ['ignore', 'inherit', 'inherit'] })
  if (error) throw error
  if (status !== 0) throw new Error(`${command} ended with ${status}`)
}

/** A program out of an npm package. */
function peer(wanted, program) {
  return path.join(installed(wanted), program)
}

/** Where an npm package `name@version` is, installed at the first call. */
export function installed(wanted) {
  const place = path.join(here, '..', 'target', 'tools', wanted.replaceAll('/', '+'))
  const directory = path.join(place, 'node_modules', wanted.slice(0, wanted.lastIndexOf('@')))
  const options = ['--no-save', '--no-audit', '--no-fund', '--ignore-scripts', '--force', '--loglevel=error']
  if (!existsSync(directory)) {
    mkdirSync(place, { recursive: true })
    execFileSync('npm', ['install', '--prefix', place, ...options, wanted], { stdio: ['ignore', 'ignore', 'pipe'] })
  }
  return directory
}
