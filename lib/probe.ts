/** probe(): what this system offers. */
import { binding } from './binding.ts'
import type { Probe } from './types.ts'

/** What the kernel offers here and now, found by trying, and which way each thing is done. */
export function probe(): Probe {
  const found = binding.probe()
  return { ...found, attributes: Object.freeze([...found.attributes]) } as Probe
}
