/** A value as Python writes it; `indent` is that of the line it begins in. */
export function pythonValue(value: unknown, indent = ''): string {
  const inner = `${indent}    `
  if (value === true) return 'True'
  if (value === false) return 'False'
  if (value === null || value === undefined) return 'None'
  if (Array.isArray(value)) {
    if (value.every((one) => typeof one !== 'object')) return `[${value.map((one) => pythonValue(one)).join(', ')}]`
    return `[\n${value.map((one) => `${inner}${pythonValue(one, inner)},\n`).join('')}${indent}]`
  }
  if (typeof value === 'object') {
    return `{\n${Object.entries(value)
      .map(([name, one]) => `${inner}${JSON.stringify(name)}: ${pythonValue(one, inner)},\n`)
      .join('')}${indent}}`
  }
  return JSON.stringify(value) // strings and numbers are written alike
}
