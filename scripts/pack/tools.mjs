// Tools that only some commands need, from npm and pinned, below target/: a plain `npm install` stays light.

import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

export const repository = path.dirname(path.dirname(path.dirname(fileURLToPath(import.meta.url))))

/** Runs npm, that of `npm run` where there is one. */
export function npm(args, options) {
  const { npm_execpath: script } = process.env
  const [command, ...before] = script?.endsWith('.js') ? [process.execPath, script] : ['npm']
  return execFileSync(command, [...before, ...args], { encoding: 'utf8', stdio: 'pipe', ...options })
}

/**
 * The directory where what `manifests` (package.json and package-lock.json) ask for is installed.
 * Throws with npm's own words where that cannot be had, as without a network.
 */
export function installed(name, manifests) {
  const directory = path.join(repository, 'target', 'tools', name)
  const lock = readFileSync(path.join(manifests, 'package-lock.json'), 'utf8')
  const stamp = path.join(directory, 'installed')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return directory
  mkdirSync(directory, { recursive: true })
  for (const file of ['package.json', 'package-lock.json'])
    cpSync(path.join(manifests, file), path.join(directory, file))
  npm(['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--force', '--loglevel=error'], { cwd: directory })
  writeFileSync(stamp, lock)
  return directory
}

/**
 * The path of `program` in the npm package `wanted`, installed as `name`. Throws with npm's own words where the package
 * cannot be had.
 */
export function programOf({ name, wanted, program }) {
  const place = path.join(repository, 'target', 'tools', wanted.replaceAll('/', '+'))
  const file = path.join(place, 'node_modules', name, program)
  // --force: npm looks at the engines and systems that packages are for, and these are for themselves.
  const options = ['--no-save', '--no-audit', '--no-fund', '--ignore-scripts', '--force', '--loglevel=error']
  if (!existsSync(file)) npm(['install', '--prefix', place, ...options, `${name}@npm:${wanted}`])
  return file
}

/** The first line in which npm says why it failed. */
export const reasonOf = (error) =>
  /^npm error (?!code|errno|syscall)(.+)$/m.exec(error.stderr ?? '')?.[1] ?? error.message
