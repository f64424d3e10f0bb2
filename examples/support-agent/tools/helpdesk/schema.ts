/** The part of JSON Schema that tools.json uses. */
export interface Schema {
  type: "object" | "string" | "integer" | "boolean" | "array";
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: false;
  items?: Schema;
  enum?: string[];
  pattern?: string;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
}

/** The first thing wrong with a value, or null if it fits the schema. */
export function problem(value: unknown, schema: Schema, at = "arguments"): string | null {
  switch (schema.type) {
    case "object":
      return objectProblem(value, schema, at);
    case "array":
      if (!Array.isArray(value)) return `${at}: not an array`;
      for (const [index, item] of value.entries()) {
        const found = schema.items ? problem(item, schema.items, `${at}[${index}]`) : null;
        if (found) return found;
      }
      return null;
    case "string":
      if (typeof value !== "string") return `${at}: not a string`;
      if (value.length < (schema.minLength ?? 0)) return `${at}: too short`;
      if (value.length > (schema.maxLength ?? 10_000)) return `${at}: too long`;
      if (schema.enum && !schema.enum.includes(value)) return `${at}: not one of ${schema.enum.join(", ")}`;
      return schema.pattern && !new RegExp(schema.pattern, "u").test(value) ? `${at}: bad format` : null;
    case "integer":
      if (typeof value !== "number" || !Number.isSafeInteger(value)) return `${at}: not an integer`;
      return value < (schema.minimum ?? value) || value > (schema.maximum ?? value)
        ? `${at}: out of range`
        : null;
    case "boolean":
      return typeof value === "boolean" ? null : `${at}: not a boolean`;
  }
}

function objectProblem(value: unknown, schema: Schema, at: string): string | null {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return `${at}: not an object`;
  const properties = schema.properties ?? {};
  for (const name of schema.required ?? [])
    if (!Object.hasOwn(value, name)) return `${at}: ${name} is missing`;
  for (const [name, item] of Object.entries(value)) {
    if (!Object.hasOwn(properties, name)) return `${at}: unknown property`;
    const found = problem(item, properties[name]!, `${at}.${name}`);
    if (found) return found;
  }
  return null;
}
