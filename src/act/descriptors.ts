import { readdirSync } from "node:fs";
import { readIfThere } from "./owner.ts";

const O_CLOEXEC = 0o2000000;

/**
 * Our descriptors above standard error that a child would inherit. Whatever we opened is closed when a program
 * is executed; these came from whoever started us, and may be anything. Empty where there is no /proc.
 */
export function inheritableDescriptors(): number[] {
  let names: string[];
  try {
    names = readdirSync("/proc/self/fd");
  } catch {
    return [];
  }
  return names.map(Number).filter((fd) => {
    const flags = /^flags:\s*(\d+)$/m.exec(readIfThere(`/proc/self/fdinfo/${fd}`) ?? "")?.[1];
    return fd > 2 && flags !== undefined && (Number.parseInt(flags, 8) & O_CLOEXEC) === 0;
  });
}
