import { WaybillError } from "../../core/errors.ts";
import { safeText } from "../../core/safe-text.ts";
import type { Run } from "../command.ts";

/**
 * `waybill verify`: the folder's release; with operands, the bundles or the image that they name. Each way loads
 * only itself.
 */
export const run: Run = async (args, io) => {
  const { existsSync, statSync } = process.getBuiltinModule("node:fs");
  const [first] = args.positionals;
  if (first === undefined) return (await import("./verify-folder.ts")).run(args, io);
  const folder = args.positionals.find((name) => statSync(name, { throwIfNoEntry: false })?.isDirectory());
  if (folder !== undefined)
    throw new WaybillError("WB-INPUT-007", `${safeText(folder)} is a folder, and no bundle`, {
      hint: `waybill verify --dir ${safeText(folder)} verifies the release in it`,
    });
  const missing = args.positionals.find((file) => !existsSync(file));
  if (missing === undefined) return (await import("./verify-bundles.ts")).run(args, io);
  const { looksLikeImage } = await import("../image-options.ts");
  if (looksLikeImage(missing)) return (await import("./verify-image.ts")).run(args, io);
  throw new WaybillError("WB-INPUT-001", `${safeText(missing)} does not exist`, {
    hint: "name the files of bundles, an image with its tag or digest, or nothing to verify the folder",
  });
};
