// The types that all modules know: what comes down as traits, what goes up as commands, and what Jupyter gives.

/** A step of a run: a number up to 2**53, and text beyond, which is exact. */
type Step = number | string;

/** A point of a curve; a value that is no number is null. */
type Point = [step: Step, value: number | null];

/** A row of a list that Python sends: its fields are those that the module of the same name in Python gives. */
interface Row {
  id: number;
  [field: string]: any;
}

/** A stage, as `stage_graph.py` describes it. */
interface Stage extends Row {
  n: number;
  kind: "Experiment" | "Deployment";
  name: string;
  status: string;
  auto?: boolean;
  active?: boolean;
  locked?: string;
  resumable?: boolean;
  experiment?: number;
  stale?: string[];
  accepted?: string;
  held?: string;
  blockers?: string[];
  score?: number;
  run?: number;
  step?: Step;
  total?: Step;
}

/** Which page of a list is shown, as `paged.py` describes it. */
interface Page {
  search: string;
  sort: string;
  descending: boolean;
  page: number;
  pages: number;
  size: number;
  total: number;
  all: number;
  /** Of agents only: what they have been trained on. */
  base_models?: string[];
}

/** A column of a list; one without `sort` cannot be sorted by. */
interface Column {
  label: string;
  sort?: string;
  descending?: boolean;
  kind?: string;
}

/** A form that is sent from Python, or what is typed into it. */
type Values = Record<string, any>;

/** The traits of all views, as far as modules share them. */
interface Traits {
  rows: Row[];
  page: Page;
  stages: Stage[];
  details: Row[];
  runs: Row[];
  experiments: Row[];
  curves: Row[];
  settings: Row[];
  chosen: number[];
  drawn: number[];
  tabs: string[];
  selected: number;
  total: number;
  undrawn: number;
  builders: Record<string, string>;
  views: Record<string, string>;
  pipeline: Values;
  panel: Values;
  project: Values;
  order: Values;
  results: string | null;
  tab: string;
  title: string;
  trouble: string;
  untrusted: string;
  obstacle: string;
  picture: string;
  canvas: string;
  code: string;
  line: string;
  view: string;
  headed: boolean;
  latest: boolean;
  single: boolean;
}

/** The model of a view, or of its line or code. */
interface Model {
  comm_live?: boolean;
  widget_manager: any;
  get<Name extends keyof Traits>(name: Name): Traits[Name];
  get(name: string): any;
  set(name: string, value: unknown): void;
  on(event: string, heard: (message: any) => unknown): void;
  off(event: string, heard: (message: any) => unknown): void;
  send(content: Values): void;
}

/** What anywidget renders: a model, into an element. */
interface Rendered {
  model: Model;
  el: HTMLElement;
}

/** An element carries what belongs to it: a row its parts, a control its error. */
interface Element {
  [own: string]: any;
}

/** What a click or a key has happened at is an element in all that is ours. */
interface EventTarget {
  [own: string]: any;
}

interface ParentNode {
  querySelector(selectors: string): El | null;
  querySelectorAll(selectors: string): NodeListOf<El>;
}

type El = HTMLElement;

/** What an element holds: text, elements, lists of these, and nothing. */
type Child = Node | string | number | boolean | null | undefined | Child[];

/** An event at one of our elements. */
type At<E extends Event> = E & { target: El; currentTarget: El };

/** Attributes and listeners of an element. */
interface Props {
  onclick?: (event: At<MouseEvent>) => unknown;
  onkeydown?: (event: At<KeyboardEvent>) => unknown;
  oninput?: (event: At<InputEvent>) => unknown;
  onchange?: (event: At<Event>) => unknown;
  onblur?: (event: At<FocusEvent>) => unknown;
  onfocus?: (event: At<FocusEvent>) => unknown;
  ontoggle?: (event: At<ToggleEvent>) => unknown;
  onsubmit?: (event: At<SubmitEvent>) => unknown;
  onmouseenter?: (event: At<MouseEvent>) => unknown;
  onmouseleave?: (event: At<MouseEvent>) => unknown;
  [name: string]: any;
}

/** A button: an icon, a label or both. `reason` says why it cannot be used now. */
interface ButtonOptions {
  label: string;
  glyph?: string;
  title?: string;
  reason?: string | null;
  kind?: string;
  quiet?: boolean;
  onclick: (event: any) => any;
  [name: string]: any;
}

/** A dialog. `act` is called when its form is submitted; `careful` begins on the button that changes nothing. */
interface DialogOptions {
  frame: Frame;
  title: string;
  body: Child;
  confirm?: string;
  cancel?: string;
  danger?: boolean;
  careful?: boolean;
  wide?: boolean;
  act?: (pressed: El) => any;
  onclose?: (value: string) => unknown;
}

/** An entry of a menu; `reason` says why it cannot be chosen now. */
interface MenuItem {
  label: string;
  /** By which a list of stages knows its first action. */
  key?: string;
  title?: string;
  glyph?: string;
  reason?: string | null;
  danger?: boolean;
  primary?: boolean;
  quiet?: boolean;
  onclick: (opener: any) => unknown;
}

/** What a list of stages asks its builder for. */
interface StageListOptions {
  frame: Frame;
  actions: (stage: Stage) => MenuItem[];
  select: (id: number) => unknown;
}

/** What tells the description of one list from that of another. */
interface DescriptionOptions {
  /** Name the text that is typed. */
  label: (control: El, row: Row) => El;
  /** `version` is that of the row that the edit is based on, so that another edit meanwhile is not lost. */
  save: (edit: { version: number; description: string }, pressed: El) => Promise<any>;
}

/** An error as Python says it. */
interface Problem {
  kind?: string;
  /** Which case of its kind it is, where there are several. */
  code?: string;
  what?: string;
  why?: string;
  fix?: string;
  message?: string;
}

type Builder = import("./pipeline.js").Builder;
type Frame = import("./frame.js").Frame;
type StageGraph = import("./stage_graph.js").StageGraph;
type PagedTable = import("./paged_table.js").PagedTable;
type MetricChart = import("./metric_chart.js").MetricChart;
type ChartGroup = import("./chart_style.js").ChartGroup;

/** Which part of a chain is seen. */
type View = { zoom: number; pan: { x: number; y: number } };

/** The room for a chain, and how many stages it has. */
type Extent = { width: number; height: number; stages: number };

/** How a series is drawn. */
type LineStyle = { colour: number; dash: number[]; mark: string; hollow: boolean };
