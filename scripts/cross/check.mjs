// Type-checks and lints the Rust core for every system that it is for, on this machine, whatever that is:
//
//   npm run check:platforms                                  all targets of package.json
//   npm run check:platforms -- x86_64-unknown-freebsd …      some of them
//
// What is compiled is not run by this. A target for which the tools are not here is skipped, with how to get them; that
// is a failure only where nothing at all could be checked.

import { spawnSync } from 'node:child_process'
import path from 'node:path'
import process from 'node:process'
import { cargo, Missing, napi, repository } from './cargo.mjs'

/** Apart from what other toolchains build. */
const CARGO_TARGET_DIR = path.join(repository, 'target', 'platforms')

/** 'checked', 'broken', or why it could not be checked. */
function check(target) {
  let call
  try {
    call = cargo('clippy', target, ['--quiet', '--lib', '--', '-D', 'warnings'])
  } catch (error) {
    if (!(error instanceof Missing)) throw error
    return error.message
  }
  const { command, args, env } = call
  if (spawnSync(command, ['clippy', '--version'], { env }).status !== 0)
    return 'clippy is missing: run `rustup component add clippy`, or, on Debian as root, `sh scripts/cross/tools.sh`'
  const { status } = spawnSync(command, args, {
    cwd: repository,
    env: { ...env, CARGO_TARGET_DIR },
    stdio: 'inherit',
  })
  return status === 0 ? 'checked' : 'broken'
}

const targets = process.argv.slice(2)
const unknown = targets.find((target) => !napi.targets.includes(target))
if (unknown !== undefined) {
  console.error(`check:platforms: no target is called ${unknown}: ${napi.targets.join(' ')}`)
  process.exit(2)
}

const results = []
for (const target of targets.length > 0 ? targets : napi.targets) {
  const started = Date.now()
  const result = check(target)
  results.push(result)
  const said = result === 'checked' || result === 'broken' ? result : `skipped: ${result}`
  console.log(`${target.padEnd(28)} ${said} (${((Date.now() - started) / 1000).toFixed(1)} s)`)
}
const broken = results.includes('broken')
const checked = results.includes('checked')
if (!broken && !checked) console.error('check:platforms: nothing could be checked')
process.exitCode = checked && !broken ? 0 : 1
