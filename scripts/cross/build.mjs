// Builds the addon for another system, under the name it has in a release:
//
//   npm run build:cross -- aarch64-unknown-linux-gnu …      into target/artifacts/
//   npm run build:cross -- --all                            every target of package.json
//
// The same way for the machine's own target gives what a release brings: linked for the oldest glibc wanted.

import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, statSync } from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import { addonOf, cargo, Missing, napi, repository } from './cargo.mjs'

export const artifacts = path.join(repository, 'target', 'artifacts')

/** Where the addon lies when it has been built. */
export function buildAddon(target) {
  const { command, args, env } = cargo('build', target, ['--release', '--lib'])
  const { status, signal } = spawnSync(command, args, { cwd: repository, env, stdio: 'inherit' })
  if (status !== 0) throw new Missing(`cargo ended with ${signal ?? status}; its messages are above`)
  mkdirSync(artifacts, { recursive: true })
  const addon = path.join(artifacts, addonOf(target))
  copyFileSync(path.join(repository, 'target', target, 'release', libraryOf(target)), addon)
  return addon
}

const libraryOf = (target) => `libcommand_root.${target.endsWith('-apple-darwin') ? 'dylib' : 'so'}`

function main(args) {
  const targets = args.includes('--all') ? napi.targets : args
  const unknown = targets.find((target) => !napi.targets.includes(target))
  if (unknown !== undefined || targets.length === 0) {
    const problem = unknown === undefined ? 'which target?' : `no target is called ${unknown}:`
    throw new Missing(`${problem} ${napi.targets.join(' ')}`)
  }
  for (const target of targets) {
    const addon = buildAddon(target)
    console.log(`${path.relative(repository, addon)}  ${statSync(addon).size} bytes`)
  }
}

if (process.argv[1] === import.meta.filename) {
  try {
    main(process.argv.slice(2))
  } catch (error) {
    if (!(error instanceof Missing)) throw error
    console.error(`build:cross: ${error.message}.`)
    process.exitCode = 1
  }
}
