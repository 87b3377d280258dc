/** probe(): what this system offers. */
import { binding } from './binding.ts'
import { failureError, isFailure } from './errors.ts'
import type { Probe } from './types.ts'

/**
 * What the kernel offers here and now, found by trying, and which way each thing is done. Throws CommandRootError where
 * it cannot be tried: EAGAIN, EMFILE, ENOMEM, …
 */
export function probe(): Probe {
  const found = binding.probe()
  if (isFailure(found)) throw failureError(found, 'probe')
  return { ...found, attributes: Object.freeze([...found.attributes]) } as Probe
}
