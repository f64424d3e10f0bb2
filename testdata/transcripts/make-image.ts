// Makes an image for two platforms in a layout on disk, always the same bytes: make-image.ts FOLDER TAG
import { sha256 } from "../../src/core/digest.ts";
import { openImage } from "../../src/flows/open-image.ts";
import { OCI_INDEX, OCI_MANIFEST } from "../../src/formats/oci.ts";
import { bytesSource } from "../../src/net/oci/upload.ts";

const [folder, tag] = process.argv.slice(2);
const { store } = openImage(`oci:${folder}:${tag}`, { env: {} }, { create: true });
const described = (bytes: Buffer, mediaType: string) => ({
  mediaType,
  digest: `sha256:${sha256(bytes)}`,
  size: bytes.length,
});
const manifests: object[] = [];
for (const architecture of ["amd64", "arm64"]) {
  const platform = { os: "linux", architecture };
  const config = Buffer.from(JSON.stringify({ ...platform, rootfs: { type: "layers", diff_ids: [] } }));
  await store.upload(bytesSource(config));
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      config: described(config, "application/vnd.oci.image.config.v1+json"),
      layers: [],
    }),
  );
  await store.write(manifest, OCI_MANIFEST);
  manifests.push({ ...described(manifest, OCI_MANIFEST), platform });
}
const index = { schemaVersion: 2, mediaType: OCI_INDEX, manifests };
await store.write(Buffer.from(JSON.stringify(index)), OCI_INDEX, tag);
