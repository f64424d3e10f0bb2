// Writes a safetensors file of a little over 3 MiB with three tensors: always the same bytes.
import { writeFileSync } from "node:fs";

const MIB = 1 << 20;
const header = Buffer.from(
  JSON.stringify({
    "embed.weight": { dtype: "F32", shape: [256, 1024], data_offsets: [0, MIB] },
    "layer.0.weight": { dtype: "F32", shape: [256, 1024], data_offsets: [MIB, 2 * MIB] },
    "head.weight": { dtype: "F32", shape: [256, 1024], data_offsets: [2 * MIB, 3 * MIB] },
  }),
);
const length = Buffer.alloc(8);
length.writeBigUInt64LE(BigInt(header.length));
const data = Buffer.alloc(3 * MIB);
for (let i = 0, x = 1; i < data.length; i += 4) {
  x = (Math.imul(x, 1_664_525) + 1_013_904_223) >>> 0;
  data.writeUInt32LE(x, i);
}
writeFileSync(process.argv[2]!, Buffer.concat([length, header, data]));
