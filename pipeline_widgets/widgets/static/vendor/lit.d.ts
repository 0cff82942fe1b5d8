/** A template with its values: lit-html makes elements of it, and only changes what has changed. */
export interface Template {
  readonly ["_$litType$"]: number;
}
type Tag = (strings: TemplateStringsArray, ...values: unknown[]) => Template;
export declare const litHtml: Tag;
export declare const svg: Tag;
export declare const litRender: (content: unknown, place: Element | DocumentFragment) => object;
/** A binding that compares with what the element has now, rather than with what it was given last. */
export declare const live: (value: unknown) => object;
/** As the value of an attribute: the attribute is not there. */
export declare const nothing: unique symbol;
/** Elements by key: what stays keeps its element. */
export declare const repeat: <Item>(
  items: Iterable<Item>,
  key: (item: Item, at: number) => unknown,
  template: (item: Item, at: number) => unknown,
) => object;
