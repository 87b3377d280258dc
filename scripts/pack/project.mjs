// A user's empty project, on a machine that has Node and npm, and no compiler.

import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import process from 'node:process'

const scratch = mkdtempSync(path.join(tmpdir(), 'command-root-pack-'))
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }))

/** A directory that is gone when the process ends. */
export function place(name) {
  const directory = path.join(scratch, name)
  mkdirSync(directory, { recursive: true })
  return directory
}

/** All that is in PATH: node, and what npm runs commands by. */
function bareBin() {
  const bin = place('bin')
  if (readdirSync(bin).length === 0) {
    symlinkSync(process.execPath, path.join(bin, 'node'))
    symlinkSync('/bin/sh', path.join(bin, 'sh'))
  }
  return bin
}

/** Resolves with what a program said and how it ended, however that was. */
export function run(command, args, { cwd, env }) {
  return new Promise((resolve) => {
    const options = { cwd, env: { PATH: bareBin(), HOME: scratch, ...env }, encoding: 'utf8', timeout: 120_000 }
    execFile(command, args, options, (error, stdout, stderr) => {
      resolve({ code: error ? (error.code ?? error.signal) : 0, stdout, stderr })
    })
  })
}

export class Project {
  /** `env`: of the registry. */
  constructor(name, env) {
    this.directory = place(name)
    this.env = env
    this.write('package.json', JSON.stringify({ private: true, type: 'module' }))
  }

  write(file, text) {
    mkdirSync(path.dirname(this.file(file)), { recursive: true })
    writeFileSync(this.file(file), text)
  }

  file(name) {
    return path.join(this.directory, name)
  }

  node(...args) {
    return run(process.execPath, args, { cwd: this.directory, env: {} })
  }

  async npm(...args) {
    const script = process.env.npm_execpath
    if (!script?.endsWith('.js')) throw new Error('this is to be run by npm (npm run pack:check)')
    const ended = await run(process.execPath, [script, ...args], { cwd: this.directory, env: this.env })
    if (ended.code !== 0) throw new Error(`npm ${args.join(' ')} ended with ${ended.code}:\n${ended.stderr}`)
    return ended
  }

  /** The names in node_modules, but for npm's own. */
  installed() {
    return readdirSync(this.file('node_modules'))
      .filter((name) => !name.startsWith('.'))
      .sort()
  }
}
