// How cargo is called for a target that is not this machine's: which toolchain, its std, its linker.
// Debian's `web` toolchain (scripts/cross/tools.sh) builds std from its source where rustup has not brought it.

import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { parseTriple } from '@napi-rs/cli'

export const repository = path.dirname(path.dirname(path.dirname(fileURLToPath(import.meta.url))))

/** What a release builds: the targets in package.json. */
export const { napi } = JSON.parse(readFileSync(path.join(repository, 'package.json'), 'utf8'))

/** The oldest glibc that the addons are for: that of RHEL 8 and Debian 10. */
export const GLIBC = '2.28'

/** Ends a script with one sentence that says what is missing and how to get it. */
export class Missing extends Error {}

/** `linux-x64-gnu` of x86_64-unknown-linux-gnu: how napi-rs names the addon and its package. */
export const platformOf = (target) => parseTriple(target).platformArchABI

export const addonOf = (target) => `${napi.binaryName}.${platformOf(target)}.node`

/** The target of this machine itself. */
export const host = () => answer('rustc', ['-vV'])?.match(/^host: (.*)$/m)?.[1]

function answer(command, args, env = {}) {
  const { status, stdout } = spawnSync(command, args, { encoding: 'utf8', env: { ...process.env, ...env } })
  return status === 0 ? stdout.trim() : undefined
}

/** rustup's own choice, and Debian's (scripts/cross/tools.sh). */
const TOOLCHAINS = [{}, { RUSTUP_TOOLCHAIN: 'web' }]

/** The first toolchain that has std for the target; else the first that can build it. */
export function toolchainFor(target) {
  const found = TOOLCHAINS.filter((chosen) => answer('rustc', ['--version'], chosen) !== undefined)
  const ready = found.find((chosen) => existsSync(answer('rustc', libraryOf(target), chosen) ?? ''))
  if (ready) return { chosen: ready, buildStd: false }
  const source = found.find((chosen) => existsSync(sourceOf(chosen)))
  if (source) return { chosen: source, buildStd: true }
  throw new Missing(
    `Rust's standard library for ${target} is missing: run \`rustup target add ${target}\`, or, on Debian as root, \`sh scripts/cross/tools.sh\``,
  )
}

const libraryOf = (target) => ['--print', 'target-libdir', '--target', target]
const sourceOf = (chosen) =>
  path.join(answer('rustc', ['--print', 'sysroot'], chosen) ?? '', 'lib/rustlib/src/rust/library')

/** Whether the system's own linker does: on a Mac, for either kind of Mac. */
const linksItself = (target) => process.platform === 'darwin' && target.endsWith('-apple-darwin')

function requireZig() {
  const cure = 'run `pip install ziglang cargo-zigbuild`, or, on Debian as root, `sh scripts/cross/tools.sh`'
  if (answer('cargo-zigbuild', ['--version']) === undefined) throw new Missing(`cargo-zigbuild is missing: ${cure}`)
  const zig = answer('zig', ['version']) ?? answer('python3', ['-m', 'ziglang', 'version'])
  if (zig === undefined) throw new Missing(`zig is missing: ${cure}`)
}

/** What calls cargo so that zig links. */
const LINKING = { build: ['cargo-zigbuild', 'zigbuild'], test: ['cargo-zigbuild', 'test'] }

/** The command, arguments and environment of `cargo SUBCOMMAND …` for a target. */
export function cargo(subcommand, target, args = []) {
  const { chosen, buildStd } = toolchainFor(target)
  const zig = subcommand in LINKING && !linksItself(target)
  if (zig) requireZig()
  const [command, word] = zig ? LINKING[subcommand] : ['cargo', subcommand]
  const named = zig && target.endsWith('-gnu') ? `${target}.${GLIBC}` : target
  const env = { ...process.env, ...chosen, ...(buildStd && { RUSTC_BOOTSTRAP: '1' }) }
  if (target.endsWith('-musl')) addFlag(env, MUSL[subcommand])
  // Only a Mac has the tool by which rustc strips for a Mac.
  if (zig && target.endsWith('-apple-darwin')) env.CARGO_PROFILE_RELEASE_STRIP = 'false'
  const std = buildStd ? ['-Zbuild-std=std,panic_abort'] : []
  return { command, args: [word, '--target', named, ...std, ...args], env }
}

/** An addon is loaded by a program with a libc of its own; what runs by itself has zig's in it. */
const MUSL = { build: '-C target-feature=-crt-static', test: '-C link-self-contained=no' }

function addFlag(env, flag) {
  if (flag !== undefined) env.RUSTFLAGS = [env.RUSTFLAGS, flag].filter(Boolean).join(' ')
}
