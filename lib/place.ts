/** Where a child begins (`cwd` of a command, `dir` of the low level): its forms, and what a chroot leaves of them. */
import { invalidType, invalidValue } from './argument-errors.ts'
import { isRoot, isThrough } from './held-root.ts'
import type { Root } from './root.ts'
import type { ProcessAttributes } from './types.ts'
import * as check from './validate.ts'

/** A path of this process's own (with a chroot: of the child's), a Root, or a path beneath one. */
export type Place = string | Root | Readonly<{ root: Root; path: string }>

/** As the Rust half takes it: a path, beneath `cwdRoot` where that is there. */
export interface Beginning {
  readonly cwd: string | undefined
  readonly cwdRoot: Root | undefined
}

/** `expected`: what the error says it should have been. */
export function place(value: unknown, name: string, expected: string): Place {
  if (typeof value === 'string') return check.cString(value, name)
  if (isRoot(value)) return value
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalidType(name, expected, value)
  const given = check.ownProperties(value, name, ['root', 'path'])
  const root = given.get('root')
  if (!isRoot(root)) throw invalidType(`${name}.root`, 'an instance of Root', root)
  return Object.freeze({ root, path: check.cString(given.get('path'), `${name}.path`) })
}

/**
 * In a chroot a string is seen from inside, and a descriptor would lead out. So would, in a new mount namespace, one that
 * was opened inside: it is on the mounts that were there before. `where`: 'options', or what both are part of.
 */
export function checkPlace(
  given: Place | URL | undefined,
  { chroot, namespaces }: ProcessAttributes,
  where: string,
  name: string,
): void {
  const root = rootOf(given)
  if (chroot === undefined || root === undefined) return
  const refuse = (problem: string): never => {
    throw invalidValue(`${where}.${name}`, problem)
  }
  if (!isRoot(chroot) || !isThrough(root, chroot))
    refuse(`must be a string, or the Root that is ${where}.chroot or one opened through it`)
  if (namespaces?.includes('mount') && given !== chroot)
    refuse(`must be a string, seen from inside, with a new mount namespace and ${where}.chroot`)
}

function rootOf(given: Place | URL | undefined): Root | undefined {
  if (isRoot(given)) return given
  return typeof given === 'object' && !(given instanceof URL) ? given.root : undefined
}

export function beginningOf(given: Place | URL | undefined, { chroot, namespaces }: ProcessAttributes): Beginning {
  // There already, and by a descriptor it would be the directory of another mount namespace.
  if (given !== undefined && given === chroot && namespaces?.includes('mount')) return { cwd: '/', cwdRoot: undefined }
  // An empty string is no directory, and to child_process the same as none given.
  if (given === undefined || given === '') return { cwd: undefined, cwdRoot: undefined }
  if (isRoot(given)) return { cwd: '.', cwdRoot: given }
  if (typeof given === 'string' || given instanceof URL) return { cwd: String(given), cwdRoot: undefined }
  return { cwd: given.path, cwdRoot: given.root }
}
