export interface Tab<T extends string = string> {
  value: T
  label: string
  /** A short word beside the label, such as a count. */
  note?: string | number
}
