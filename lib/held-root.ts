/**
 * What a Root holds, for everything that starts or opens beneath one. Apart from the class, which starts programs
 * itself: so imports go one way.
 */
import { closedError } from './errors.ts'
import { pathBeneath } from './paths.ts'
import type { Root } from './root.ts'
import { bare } from './validate.ts'

/** `path` is absolute, as it was when the directory was opened. */
export interface Held {
  /** The Rust half's number for it; undefined once closed. */
  directory: number | undefined
  name: string
  path: string
  /** Of the Root that it was opened through. That one is not kept open by this. */
  through?: Held | undefined
}

const holdings = new WeakMap<object, Held>()

/** Makes of `root` the Root of what is held. */
export function hold(root: Root, held: Held): void {
  holdings.set(root, bare(held))
}

/** Whether `value` is a Root of this package. */
export function isRoot(value: unknown): value is Root {
  return typeof value === 'object' && value !== null && holdings.has(value)
}

/** Open or closed. */
export function heldBy(root: Root): Held {
  const held = holdings.get(root)
  if (!held) throw new TypeError('Receiver must be an instance of Root')
  return held
}

/** Throws ERR_ROOT_CLOSED for one that is closed. */
export function openHeld(root: Root): Held & { directory: number } {
  const held = heldBy(root)
  if (!isOpen(held)) throw closedError('Root', held.name)
  return held
}

function isOpen(held: Held): held is Held & { directory: number } {
  return held.directory !== undefined
}

/** The Rust half's number of a Root that is open; throws ERR_ROOT_CLOSED for one that is not. */
export function directoryOf(root: Root): number {
  return openHeld(root).directory
}

/** The absolute path at which `name` was beneath `root` when that was opened. */
export function pathUnder(root: Root, name: string): string {
  return pathBeneath(heldBy(root).path, name)
}

/** What stands for a Root, and does not keep it open. */
export function identityOf(root: Root): object {
  return heldBy(root)
}

/** Whether `root` is `ancestor`, or was opened through it. */
export function isThrough(root: Root, ancestor: Root): boolean {
  let held: Held | undefined = heldBy(root)
  while (held && held !== heldBy(ancestor)) held = held.through
  return held !== undefined
}
