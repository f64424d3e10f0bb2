import { waybillHome } from "../../flows/home.ts";
import { uploadBundles } from "../../flows/journal-upload.ts";
import type { Run } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import { shown } from "../render/shown.ts";

/** `waybill journal upload`: puts bundles beside their entries that came from outside. */
export const run: Run = async ({ options, positionals }, io) => {
  const uploaded = await uploadBundles(waybillHome(io.env), positionals);
  if (options.format === "json") io.out(`${JSON.stringify(uploaded, null, 2)}\n`);
  else
    for (const { file, index, known } of uploaded)
      io.out(`entry ${index}  ${shown(file)}${known ? "  (was there)" : ""}\n`);
  return EXIT.allowed;
};
