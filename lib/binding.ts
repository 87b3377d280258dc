/**
 * Loads the Rust half. Everything else in lib/ imports it from here, so that an import on a system without it ends in
 * one sentence that says what to do.
 */
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import type * as Binding from '#binding'
import { packageDirectory } from './version.ts'

const SYSTEMS = ['linux-x64', 'linux-arm64', 'freebsd-x64', 'darwin-x64', 'darwin-arm64']

const BUNDLED = 'command-root has been put into a bundle without the files that belong to it: mark it there as external'

export const binding: typeof Binding = load()

// createRequire and not import(): no module of ours has a top-level await, or require() of the package would fail.
function load(): typeof Binding {
  try {
    const binding = createRequire(import.meta.url)('#binding') as typeof Binding
    binding.prepare()
    return binding
  } catch (error) {
    throw explain(error)
  }
}

/** binding.cjs keeps the messages of what went wrong, one the cause of the next, and drops their codes. */
function explain(error: unknown): Error {
  const system = `${process.platform}-${process.arch}`
  if (!SYSTEMS.includes(system)) {
    return coded('ERR_FEATURE_UNAVAILABLE_ON_PLATFORM', `command-root does not run on ${system}`, error)
  }
  const [first = '', ...messages] = messagesOf(error)
  if (first.includes('#binding')) return coded('MODULE_NOT_FOUND', BUNDLED, error)
  const disabled = messages.find((message) => message.includes('addons is disabled'))
  if (disabled) return coded('ERR_DLOPEN_DISABLED', disabled, error)
  const broken = messages.find((message) => !message.startsWith('Cannot find module'))
  if (broken) return coded('ERR_DLOPEN_FAILED', `The addon of command-root could not be loaded: ${broken}`, error)
  const cure = existsSync(join(packageDirectory(), 'Cargo.toml'))
    ? 'has not been built in this clone: run `npm run build`'
    : `is missing: install the package command-root-${system}${abi()} (npm leaves it out under --omit=optional)`
  return coded('MODULE_NOT_FOUND', `The addon of command-root ${cure}`, error)
}

/** How napi-rs ends the names of its packages: only Linux has more than one C library. */
function abi(): string {
  if (process.platform !== 'linux') return ''
  const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } }
  return report.header?.glibcVersionRuntime ? '-gnu' : '-musl'
}

function messagesOf(error: unknown): string[] {
  return error instanceof Error ? [error.message, ...messagesOf(error.cause)] : []
}

function coded(code: string, message: string, cause: unknown): Error {
  return Object.assign(new Error(message, { cause }), { code })
}
