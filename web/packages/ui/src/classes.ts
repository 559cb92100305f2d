/** A class name, or nothing where a condition does not hold. */
export type ClassPart = string | false | undefined;

/**
 * Binds a CSS module: `classes(styles)("tile", speaking && "speaking")`.
 *
 * A name that the module does not have is a mistake of ours, and throws.
 */
export function classes(
  module: Readonly<Record<string, string>>,
): (...parts: ClassPart[]) => string {
  return (...parts) => {
    const names: string[] = [];
    for (const part of parts) {
      if (part === false || part === undefined) continue;
      const name = module[part];
      if (name === undefined) throw new Error(`no such class: ${part}`);
      names.push(name);
    }
    return names.join(" ");
  };
}
