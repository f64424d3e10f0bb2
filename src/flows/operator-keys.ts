import type { Hex } from "../core/digest.ts";
import { listKeys, loadPublicKey } from "../sign/key-store.ts";
import { hasMachineKey, openMachineKey } from "../sign/machine-key.ts";

/**
 * Ids of the keys of a home, which speak for its journal: those of its keys, and the machine's own, by which
 * `journal serve` vouches for entries from outside. Makes none.
 *
 * @throws WaybillError as `loadPublicKey` and `openMachineKey`
 */
export function operatorKeys(home: string): Hex[] {
  const own = listKeys(home).map((name) => loadPublicKey(home, name).keyId);
  return hasMachineKey(home) ? [...own, openMachineKey(home).keyId] : own;
}
