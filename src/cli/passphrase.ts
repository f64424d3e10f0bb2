import { WaybillError } from "../core/errors.ts";
import { readTextBounded } from "../hash/read-file.ts";
import type { Io } from "./io.ts";

/**
 * The passphrase of a key: out of a file, of WAYBILL_PASSPHRASE, or asked for on the terminal without echo.
 *
 * @throws WaybillError WB-INPUT-008 when there is none of these; those of `readTextBounded` for the file
 */
export async function passphrase(io: Io, file: string | undefined, question: string): Promise<string> {
  if (file !== undefined) {
    const text = readTextBounded(file, 4096, { follow: true }).replace(/\r?\n$/, "");
    if (text !== "") return text;
    throw new WaybillError("WB-INPUT-008", `${file} is empty`, {
      hint: "put the passphrase on its first line",
    });
  }
  if (io.env.WAYBILL_PASSPHRASE) return io.env.WAYBILL_PASSPHRASE;
  if (!io.interactive || !process.stdin.isTTY)
    throw new WaybillError("WB-INPUT-008", "the key needs a passphrase and there is no terminal to ask on", {
      hint: "--passphrase-file FILE, or WAYBILL_PASSPHRASE",
    });
  return ask(io, question);
}

function ask(io: Io, question: string): Promise<string> {
  const { stdin } = process;
  io.err(`${question}: `);
  stdin.setRawMode(true);
  stdin.resume();
  return new Promise((resolve, reject) => {
    let typed = "";
    const finish = (end: () => void) => {
      stdin.off("data", onData);
      stdin.setRawMode(false);
      stdin.pause();
      io.err("\n");
      end();
    };
    const onData = (data: Buffer) => {
      for (const char of data.toString("utf8")) {
        if (char === "\r" || char === "\n") return finish(() => resolve(typed));
        if (char === "\u0003" || char === "\u0004")
          return finish(() =>
            reject(
              new WaybillError("WB-INPUT-008", "no passphrase was given", {
                hint: "type it, or use --passphrase-file",
              }),
            ),
          );
        typed = char === "\u007f" || char === "\b" ? typed.slice(0, -1) : typed + char;
      }
    };
    stdin.on("data", onData);
  });
}
