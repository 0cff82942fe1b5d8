// The types that all modules know: what comes down as traits, what goes up as commands, what Jupyter gives.

/** A step of a run: a number up to 2**53, and text beyond, which is exact. */
type Step = number | string;

/** A point of a curve; a value that is no number is null. */
type Point = [step: Step, value: number | null];

/** What has a name. */
interface Named {
  id: number;
  name: string;
}

/** A row of a list that Python sends. */
interface ListRow extends Named {
  status: string;
}

/** A stage, as `stage_graph.py` describes it; what is empty is left out. */
interface Stage extends ListRow {
  n: number;
  kind: "Experiment" | "Deployment";
  auto?: boolean;
  active?: boolean;
  locked?: string;
  resumable?: boolean;
  experiment?: number;
  stale?: string[];
  accepted?: string;
  held?: string;
  /** For what its run waits before it can begin. */
  waits?: string;
  blockers?: string[];
  score?: number;
  algorithm?: string;
  /** The number of its source stage, where that is not the stage before it. */
  source?: number;
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
  /** Of agents only: whether any of them says what it was trained on. */
  base_models?: boolean;
  /** Of a workspace only: how much is active, and waits for a person. */
  all_active?: number;
  all_waiting?: number;
}

/** A column of a list; one without `sort` cannot be sorted by. */
interface Column {
  label: string;
  sort?: string;
  descending?: boolean;
  kind?: string;
  /** What stands before its label. */
  before?: Content;
}

/** By which column rows are sorted. */
type Order = { sort: string; descending: boolean };

// ---- a workspace, as `workspace.py` describes it

/** A project; its status is empty where nothing has run and nothing waits. */
interface ProjectRow extends ListRow {
  kind: string;
  experiments: number;
  pipelines: number;
  detail: string;
  modified_at: number;
}

/** A run that is active; `place` has the names of its pipeline, if any, and its project. */
interface ActiveRow extends Progress {
  id: number;
  project_id: number;
  pipeline_id: number | null;
  stage_id: number | null;
  experiment_id: number | null;
  name: string;
  place: string[];
  waits: string | null;
}

/** A stage that waits for a person. */
interface WaitingRow {
  id: number;
  project_id: number;
  pipeline_id: number;
  status: string;
  detail: string;
  place: string[];
}

// ---- pipelines

/** What people wrote to a row. */
interface AnnotatedRow extends ListRow {
  note?: string;
  tags?: string[];
  favourite?: boolean;
}

/** What a filter can name, and values of some fields. */
interface FilterFields {
  fields: { name: string; kind: string }[];
  values: Record<string, string[]>;
}

/** For which rows something was done, and why not for the others. */
interface SeveralDone {
  done: number[];
  refused: { id: number; name: string; reason: string }[];
}

/** A line of a log: its offset, when it was written if that is known, and what it says. */
type LogLine = [at: number, time: number | null, text: string];

/** Lines of a log that follow each other, as `log.py` describes them. */
interface LogPart {
  start: number;
  end: number;
  size: number;
  timed: boolean;
  lines: LogLine[];
}

/** Where a text is in a part of a log, and where to search on. */
type LogMatches = { offsets: number[]; next: number | null };

/** A part of a log as it is, a character for each byte. */
type LogRaw = { data: string; next: number | null };

/** A run whose log can be chosen. */
type LoggedRun = { id: number; number: number; status: string };

/** The best score of a stage; positions count from 0. */
type StageScore = { position: number; name: string; score: number };

/** A pipeline in its list, as `pipeline_list.py` describes it. */
interface PipelineRow extends DescribedRow, AnnotatedRow {
  statuses: string[];
  best?: StageScore;
  modified_at: number;
  stages: number;
  detail: string;
  stale: number;
  runs: RunOffer;
  shares: string;
}

/** The pipeline of a builder; `undo` and `redo` are the edits that can be undone, or done again. */
interface PipelineFacts extends Named {
  description: string;
  version: number;
  /** The evaluator by whose scores Best and gates go; null where by those that the algorithms report. */
  score_by: string | null;
  runs: RunOffer;
  undo: UndoableEdit | null;
  redo: UndoableEdit | null;
}

/** What the panel shows of a stage, as `stage_panel.py` describes it. */
interface Panel {
  stage: number;
  settings: string[];
  reasons: StaleReasonRow[];
  accepted: string | null;
  agent: StageAgent | null;
  run: PanelRun | null;
}

/** The agent of a Deployment stage. */
interface StageAgent {
  name: string;
  note: string;
}

/** What tells how long a run has taken, and will take. */
interface Progress {
  status: string;
  started_at: number | null;
  finished_at?: number | null;
  step: Step | null;
  total: Step | null;
  begun?: Step | null;
}

/** A run in the panel of its stage. */
interface PanelRun extends Progress, Timeline {
  id: number;
  number: number;
  created_at: number;
  finished_at: number | null;
  start: string;
  peak_cpu: number | null;
  peak_memory: number | null;
  peak_gpu_memory: number | null;
  usage: Curve[];
  agent: string | null;
  agent_id: number | null;
  error: string | null;
  failure: FailureRow | null;
  curves: Curve[];
  checkpoints: Checkpoint[];
  shown: ShownSummary;
  evaluations: OpenEvaluation[];
  earlier: number;
  log: string;
}

/** Why a run ended without success, as `failure_card.py` describes it. */
interface FailureRow {
  step: Step | null;
  total: Step | null;
  /** The exception's type and message, or what is known of a crash; empty where nothing is. */
  message: string;
  /** The user's own line, such as "train.py:28"; empty where none is known. */
  place: string;
  function: string;
  /** The lines there: the number, the text, and whether it belongs to what failed. */
  lines: [number: number, text: string, failed: boolean][];
  /** The step from which it can be resumed; null where it cannot. */
  resume: Step | null;
}

/** A run that may have been broken off. */
interface FailedRun {
  id: number;
  number: number;
  status: string;
  error: string | null;
  log: string;
  failure: FailureRow | null;
}

/** What can be done about such a run. */
interface FailureActions {
  /** Whether the button to resume is the one of the view that stands out. */
  primary?: boolean;
  /** Whether "Start over" asks first. */
  asks: boolean;
  /** Why the config cannot be edited now; empty where it can. */
  locked: string;
  /** Why it cannot begin again now; empty where it can. */
  blocked: string;
  resume: (pressed: El) => unknown;
  over: (pressed: El) => unknown;
  edit: ((pressed: El) => unknown) | null;
}

/** What was one thing when a stage ran, and is another now; null where there is none. */
type ChangeRow = { name: string; old: string | null; new: string | null; code: boolean };

/** Why a stage is stale, as `stale_card.py` describes it; `stage` is the one that it is about. */
type StaleReasonRow = { text: string; stage: number | null; changes: ChangeRow[] };

/** What can be done about a stage that is stale. */
interface StaleActions {
  title?: string;
  /** Why it cannot run again now; empty where it can. */
  blocked: string;
  rerun: (pressed: El) => unknown;
  accept?: (pressed: El) => unknown;
  open?: (stage: number) => unknown;
}

/** A stage that an experiment is bound to. */
interface UseRow {
  pipeline: string;
  stage: number;
  stage_id: number;
  blocked: string;
  reasons: StaleReasonRow[];
}

/** A metric by step. */
type Curve = { name: string; points: Point[] };

/** A checkpoint in a table. */
interface Checkpoint {
  id: number;
  step: Step;
  training_score: number | null;
  evaluation_score: number | null;
  /** By the name of the evaluator. */
  scores: Record<string, number | null>;
  size: number;
  best: boolean;
  final: boolean;
  /** Where the checkpoints of several runs are listed. */
  run?: string;
}

// ---- what runs have shown, as `showing.py` describes it

/** How much a run has shown; `title` names what it is, as in "Samples and videos". */
type ShownSummary = { id: number; items: number; steps: number; title: string; full: boolean };

/** At which of its steps a run is shown: the place of the step, counted from 0, and of how many. */
interface ShownStep {
  run: number;
  steps: number;
  at: number;
  step: Step;
  more: number;
}

interface ShownSample {
  prompt: string;
  output: string;
  score: number | null;
  reference: string | null;
}

/** Samples, an image or a video; `description` is what stands for it where it cannot be seen. */
interface ShownItem {
  id: number;
  kind: "samples" | "image" | "video";
  caption: string;
  prompt: string | null;
  seed: number | string | null;
  description: string;
  size: number;
  media: {
    media_type: string;
    width: number | null;
    height: number | null;
    seconds: number | null;
  } | null;
  samples: ShownSample[];
}

/** What a run has made of a prompt or a seed. */
type ShownCell = { item: ShownItem; sample: ShownSample | null };

/** What two runs have shown, side by side. */
interface ShownComparison {
  left: ShownStep | null;
  right: ShownStep | null;
  matched: number;
  more: number;
  pairs: { label: string; left: ShownCell | null; right: ShownCell | null }[];
}

// ---- scoring, as `scoring.py` describes it

/** An evaluator in a list; `reason` says why it scores nothing of what is meant. */
type EvaluatorChoice = { name: string; higher_is_better: boolean; reason: string };

/** What can be scored together, and how that is asked for. */
type ScoreScope = { label: string; args: Args };

/** An evaluation that goes on, or has failed. */
interface OpenEvaluation {
  id: number;
  number: number;
  evaluator: string;
  status: string;
  started_at: number | null;
  step: Step | null;
  total: Step | null;
  waits: string | null;
  error: string | null;
}

/** What has become of a request to score. */
type ScoringStarted = { scoring: number; label: string; refused: string[]; outdated: number };

/** What a trigger will do. */
interface Plan {
  confirm: boolean;
  duplicate: boolean;
  runs_now: string;
  starts_from: string;
  reruns: boolean;
  follows: string[];
  retries: string[];
  turns_stale: string[];
  redeploys: string[];
  blockers: string[];
  stops_before: string[];
  not_resumed: string[];
  notes: string[];
}

/** Whether a pipeline can be run now, and brought up to date: why not, or nothing where it can. */
interface RunOffer {
  next: string;
  up_to_date: string;
  is_stale: boolean;
}

/** What a pipeline is run for. */
type RunGoal = "run" | "bring up to date";

/** What running a pipeline will do, as `pipeline_runs.py` describes it; without a stage it does nothing. */
interface PipelineRunPlan {
  stage: number | null;
  plan: Omit<Plan, "confirm" | "duplicate"> | null;
  resume: boolean;
  resumable: string | null;
  manual: string[];
  reason: string;
  duplicate: boolean;
  confirm: boolean;
}

/** How a run came about. */
interface RunEnvironment {
  facts: { name: string; value: string }[];
  diff: string;
  cut: boolean;
  untracked: string[];
  sources: { name: string; text: string }[];
}

/** An edit that can be undone, or done again; `by` where somebody else made it. */
type UndoableEdit = { what: string; by: string };

/** What was done to a pipeline. */
interface History {
  events: { at: number; who: string; what: string }[];
  more: boolean;
}

// ---- the form of a stage, as `stage_form.py` describes it

/** A gate as it is sent: none, a comparison, or a score, which is an empty text where it is not a number. */
type Gate = null | string | number;

/** The settings of a stage, as its form has them. */
interface StageSettings {
  kind: "experiment" | "deployment";
  trigger: string;
  gate: Gate;
  experiment?: number | null;
  start?: Step | { agent: number | null };
  auto_add_agent?: boolean;
  /** How often a run that crashes is retried; what is typed, where it is not a number. */
  retries?: number | string;
  /** What is typed into the fields of the launcher and the resources. */
  placement?: Record<string, string>;
  /** The name of the agent of a Deployment. */
  agent?: string;
  description?: string;
  checkpoint?: Step;
}

/** Whether something fits, and why it does not or in which role it does. */
type Fit = { fits: boolean; reason: string; role: string };

/** An experiment that a stage may run; `start` says which of the form's ways to begin it has. */
interface ExperimentOption extends Named, Fit {
  algorithm: string;
  ran: boolean;
  used_by: number | null;
  start: number | null;
}

/** A saved agent from which a chain can begin. */
interface AgentOption extends Named {
  version: number;
  experiment: string;
  step: Step;
}

/** A checkpoint that can be chosen. */
interface SavedCheckpoint {
  step: Step;
  training_score: number | null;
  evaluation_score: number | null;
  size: number;
}

/** The best or the final checkpoint, and why it is that, or why there is none. */
type CheckpointOption = { step: Step | null; reason: string };

/** The checkpoints of a run, to choose one. */
interface CheckpointOffer {
  checkpoints: SavedCheckpoint[];
  best: CheckpointOption;
  final: CheckpointOption;
  higher_is_better: boolean;
}

/** How the first stage can begin: from scratch, or from an agent, for each of the form's agents. */
type Starts = { scratch: Fit; agents: Fit[] };

interface StageFormData extends CheckpointOffer {
  pipeline: { id: number; name: string; version: number };
  stages: number;
  stage: number | null;
  settings: StageSettings | null;
  placement: FieldSpec[];
  position: number;
  first: boolean;
  manual_only: string;
  can_deploy: boolean;
  deploy_reason: string;
  source: string;
  experiments: ExperimentOption[];
  starts: Starts[];
  agents: AgentOption[];
  agent_names: string[];
}

/** What is typed and chosen in the form of a stage. */
type StageDraft = ReturnType<typeof import("./stage_draft.js").stageDraft>;

// ---- experiments, as `experiment_rows.py` describes them

interface ExperimentRow extends AnnotatedRow, Progress {
  status: string;
  algorithm: string;
  modified_at: number;
  runs: number;
  checkpoints: number;
  best: number | null;
  waits: string | null;
  pipelines: string[];
  blockers: { train: string; stop: string; resume: string; change: string; delete: string };
}

/** A run among those of an experiment. */
interface RunRow extends Progress {
  id: number;
  number: number;
  created_at: number;
  finished_at: number | null;
  checkpoints: number;
  pipeline: string;
  same_config: boolean;
}

/** A setting of a run; `now` is what the experiment has now, where that is another value. */
interface ConfigRow {
  name: string;
  label: string;
  value: string;
  unit: string;
  description: string;
  now: string | null;
}

/** The run that an expanded experiment shows. */
interface ShownRun {
  id: number;
  number: number;
  status: string;
  start: string;
  log: string;
  error: string | null;
  failure: FailureRow | null;
  best: Step | null;
  shown: ShownSummary;
}

/** What an expanded experiment shows. */
interface ExperimentDetailRow extends Timeline {
  id: number;
  says: string;
  /** Where its runs are launched, in a sentence; empty where that is left to the workspace. */
  placed: string;
  higher_is_better: boolean;
  config: ConfigRow[];
  uses: UseRow[];
  run: ShownRun | null;
  metrics: string[];
  metric: string | null;
  curves: Curve[];
  runs: RunRow[];
  checkpoints: Checkpoint[];
  evaluations: OpenEvaluation[];
  saved: number;
  every: boolean;
}

/** A run from which one can go on. */
interface ResumableRun extends CheckpointOffer {
  id: number;
  label: string;
  best: { step: Step; reason: string };
  final: { step: Step; reason: string };
  ends: Step | null;
  length: { name: string; label: string } | null;
}

/** What the dialog for resuming offers. */
interface ResumeOffer {
  name: string;
  warning: string;
  obstacle: string;
  runs: ResumableRun[];
}

/** A field of a config, as `experiment_form.py` describes it. */
interface FieldSpec {
  name: string;
  label: string;
  kind: string;
  required?: boolean;
  description: string;
  unit?: string;
  bounds?: string;
  default?: string;
  value: string;
  choices?: [value: string, word: string][];
  optional?: boolean;
  computed?: boolean;
}

interface AlgorithmChoice {
  name: string;
  says: string;
  problem: string;
  /** The command that installs what it lacks; empty where it lacks nothing. */
  install: string;
  /** Why it cannot stand where the experiment is meant for; empty where it can. */
  misfit: string;
}

/** What a view calls the commands of the form of a new experiment, and what they are sent with. */
interface FormCommands {
  form: "form" | "experiment_form";
  create: "create" | "create_experiment";
  args: Args;
}

interface ExperimentFormData {
  algorithms: AlgorithmChoice[];
  algorithm: string | null;
  name: string;
  seed: FieldSpec;
  fields: FieldSpec[];
  placement: FieldSpec[];
  version?: number;
}

/** What is wrong with a form that was sent. */
type Refusal = {
  about: { name?: string; seed?: string };
  fields: Record<string, string>;
  general: string;
  placement: Record<string, string>;
};

/** What is typed into the form of an experiment: by algorithm, until one is made. */
type FormDrafts = {
  name?: string;
  seed?: string;
  algorithm?: string;
  values: Record<string, Record<string, string>>;
  placement?: Record<string, string>;
};

/** How many checkpoints there are and would be freed. */
type Freed = { checkpoints: number; size: number; freed: number; freed_size: number };

/** What a clean-up would free, as `clean_up.py` describes it. */
interface CleanUp {
  all: Freed;
  experiments: (Freed & { experiment: string })[];
  more_experiments: number;
  kept: { experiment: string; run: number; step: Step; size: number; reasons: string[] }[];
  more_kept: number;
}

/** A template for new pipelines. */
interface TemplateRow {
  name: string;
  chain: string;
  description: string;
  is_ready: boolean;
}

// ---- agents, as `agent_messages.py` describes them

interface AgentRow extends DescribedRow {
  experiment: string;
  project: string;
  base_model: string | null;
  connected: boolean;
  blockers: { delete: string };
  current_version: number;
  trouble: string;
}

interface AgentEndpoint {
  url: string | null;
  route: string;
  takes: string;
  json: boolean;
  example: string;
  hint: string;
  version: number | null;
  open: string;
}

interface AgentVersion {
  number: number;
  current: boolean;
  experiment: string;
  step: Step;
  training_score: number | null;
  evaluation_score: number | null;
  created_at: number;
  lineage: string;
}

type Snippet = { language: string; code: string };

/** What an expanded agent shows. */
interface AgentDetailRow {
  id: number;
  endpoint: AgentEndpoint | null;
  snippets: Snippet[];
  placeholder: string;
  silent: string;
  log: string;
  versions: AgentVersion[];
  /** The version that the current one is compared with. */
  counterpart: number | null;
  higher_is_better: boolean;
}

/** The answer of a version to an input that others were given as well. */
interface VersionAnswer {
  number: number;
  experiment: string;
  step: Step;
  training_score: number | null;
  evaluation_score: number | null;
  current: boolean;
  text: string;
  seconds: number;
  problem: Problem | null;
}

/** An experiment that an agent can be made of. */
interface AgentSourceRow extends Named {
  algorithm: string;
  project: string;
  silent: boolean;
}

/** What an endpoint has answered, under its ticket. */
type Reply = { status: number; phrase: string; text: string; seconds: number; error?: undefined };
type FailedReply = { error: Problem };
/** What versions have answered. */
type ComparisonReply = { answers: VersionAnswer[]; alike: boolean; error?: undefined };

// ---- results, as `results_rows.py` describes them

interface ResultRow {
  id: number;
  experiment: string;
  number: number;
  status: string;
  active: boolean;
  steps: Step | null;
  checkpoints: number;
  training_score: number | null;
  evaluation_score: number | null;
  /** The best by each evaluator. */
  scores: Record<string, number>;
  started_at: number | null;
  finished_at: number | null;
  /** In bytes; null where no sample has told. */
  peak_memory: number | null;
  peak_gpu_memory: number | null;
  best: boolean;
  place: number | null;
  drawn: boolean;
}

interface ResultChoice extends ListRow {
  algorithm: string;
  runs: number;
}

interface ResultCurve {
  id: string;
  run: number;
  metric: string;
  points: Point[];
}

/** When the steps of a run were reported, and at which it was resumed. */
interface Timeline {
  clock: Clock;
  resumed: Step[];
}

interface SettingRow {
  id: string;
  label: string;
  differs: boolean;
  told: (string | null)[];
  whole: (string | null)[];
}

/** Where a run comes from, and what came of it. */
interface Lineage {
  nodes: LineageNode[];
  /** How many are left out of the graph. */
  more: number;
  from: string[];
  into: string[];
  depths: string[];
}

/** A run or an agent in the graph of a lineage, as `lineage.py` describes it. */
interface LineageNode {
  kind: "run" | "deployment" | "agent";
  id: number;
  name: string;
  number: number;
  place: string;
  label: string;
  column: number;
  row: number;
  /** The place in the list of what it descends from. */
  parent: number | null;
  handed: string;
  here: boolean;
  status: string | null;
  stale: boolean;
  pipeline: number | null;
  stage: number | null;
  experiment: number | null;
}

// ---- what goes down and up

/** A metric over all stages of a pipeline; nothing while it is closed. */
type PipelineChartRow = {
  metrics?: string[];
  metric?: string | null;
  stages?: (ChartBand & { id: number; run: number; active: boolean; points: Point[]; resumed: Step[] })[];
};

/** What has changed of a value, as `patches.py` describes it. */
type Patch =
  | { value: unknown }
  | { fields: Record<string, Patch> }
  | { items: [number, Patch][] }
  | { keep: number; add: unknown[] };

/** Changed rows of a list that the page has, if it has missed nothing. */
type ChangedRows = { patch: "rows" | "active" | "waiting"; sequence: number; rows: { id: number }[] };

/** What has changed of a value that the page has, if it has missed nothing. */
type ChangedValue = {
  patch: "panel" | "chart" | "curves" | "timelines" | "details";
  sequence: number;
  change: Patch;
};

type ChangeMessage = ChangedRows | ChangedValue | { patch?: undefined };

/** The traits of all views. */
interface Traits {
  following: boolean;
  chart: PipelineChartRow;
  rows: ListRow[];
  page: Page;
  stages: Stage[];
  details: { id: number }[];
  runs: ResultRow[];
  experiments: ResultChoice[];
  curves: ResultCurve[];
  timelines: (Timeline & { id: number })[];
  settings: SettingRow[];
  shown: ShownSummary[];
  chosen: number[];
  drawn: number[];
  evaluators: string[];
  evaluations: OpenEvaluation[];
  tabs: string[];
  selected: number;
  total: number;
  undrawn: number;
  builders: Record<string, string>;
  views: Record<string, string>;
  pipeline: PipelineFacts;
  panel: Panel;
  project: { name: string; advanced: boolean };
  workspace: { name: string; place: string };
  active: ActiveRow[];
  waiting: WaitingRow[];
  opened: string | null;
  agents: string | null;
  agent: string | null;
  agent_shown: number;
  order: Order;
  results: string | null;
  compares: boolean;
  compared: string | null;
  tab: string;
  title: string;
  trouble: string;
  untrusted: string;
  /** Which patch, or whole, came last. */
  sequence: number;
  obstacle: string;
  picture: string;
  canvas: string;
  code: string;
  line: string;
  view: string;
  headed: boolean;
  latest: boolean;
  leads: boolean;
  digest: string;
  script: string;
  style: string;
}

/** Edits that were made along with one. */
type Also = { also: string[] };

/** The same of an edit of a pipeline, with its version after that. */
type Edited = Also & { version: number };

/** What commands answer; those that are not here answer nothing of their own. */
interface Answers {
  accept: object;
  annotate: { before: { id: number; note: string; tags: string[]; favourite: boolean }[] };
  add: Edited & { refused?: Record<string, string> };
  /** Seconds within which the reply comes. */
  ask: { within: number };
  experiment_form: ExperimentFormData;
  config_form: ExperimentFormData;
  check: { stage: string; problem: string }[];
  clean_up: Freed;
  clean_up_form: CleanUp;
  code: { python: string; yaml: string; file: string };
  compare: { within: number };
  connect: { key: string | null };
  compare_shown: ShownComparison;
  copy_name: string;
  create: Named & { refused?: undefined };
  create_experiment: Named & { refused?: Refusal };
  create_from_template: Named;
  csv: { name: string; text: string };
  delete_several: SeveralDone;
  delete_template: TemplateRow[];
  deploy: Named & { trouble: Problem | null };
  duplicate: Named;
  edit: Edited & { refused?: Record<string, string> };
  filter_fields: FilterFields;
  find: { ids: number[] };
  history: History;
  import: Named & Also;
  lineage: Lineage;
  log: LogPart;
  log_raw: LogRaw;
  log_runs: { runs: LoggedRun[] };
  log_search: LogMatches;
  log_time: { at: number | null };
  look: { rows: ResultCurve[] };
  move: Edited;
  offer: { runs: ResumableRun[] };
  environment: RunEnvironment;
  plan: Plan;
  plan_rerun: PipelineRunPlan;
  plan_run: PipelineRunPlan;
  run: { run: number };
  remove: Edited;
  resume: Named;
  resume_form: ResumeOffer;
  rerun: { run: number };
  rotate_key: { key: string };
  score: ScoringStarted;
  score_by: { started: ScoringStarted | null };
  score_by_form: {
    version: number;
    score_by: string | null;
    evaluators: EvaluatorChoice[];
    obstacle: string;
  };
  score_form: { checkpoints: number; evaluators: EvaluatorChoice[]; obstacle: string };
  save_as_template: { name: string };
  shown: { step: ShownStep | null; items: ShownItem[] };
  shown_part: { length: number; buffers?: DataView[] };
  sources: AgentSourceRow[];
  stop_several: SeveralDone;
  templates: TemplateRow[];
  trigger: { run: number };
  plan_undo: UndoableEdit & { version: number; losses: string[] };
  undo: Edited & { done: string };
}

/** What a command answers; it is never nothing where it succeeds. */
type Answer<Name extends string> = Name extends keyof Answers ? Answers[Name] : object;

/** What a command is sent with. */
type Args = Record<string, unknown>;

/** The model of a view, or of its line or code. */
interface Model {
  comm_live?: boolean;
  widget_manager: WidgetManager;
  get<Name extends keyof Traits>(name: Name): Traits[Name];
  set(name: string, value: unknown): void;
  on(event: string, heard: (message: any, buffers?: DataView[]) => unknown): void;
  off(event: string, heard: (message: any, buffers?: DataView[]) => unknown): void;
  send(content: object): void;
}

/** What anywidget renders: a model, into an element. */
interface Rendered {
  model: Model;
  el: HTMLElement;
}

/** The side of Jupyter that makes models and their views. */
interface WidgetManager {
  get_model(id: string): Promise<Model>;
  create_view(model: Model): Promise<WidgetView>;
  /** Where the host shows its notebook. */
  context?: { model?: { cells?: Iterable<{ outputs?: Outputs }> } };
  kernel?: { iopubMessage?: Signal<{ header: { msg_type: string }; content: OutputMessage }> };
}

interface WidgetView {
  el: El;
  displayed: Promise<unknown>;
  luminoWidget: Lumino & { constructor: Function & { attach(widget: Lumino, el: El): void } };
  cytoscape_obj?: CytoscapeCore;
  remove(): void;
}

type Lumino = { isDisposed: boolean; node: El };

/** The outputs of a cell. */
type Outputs = {
  length: number;
  get(at: number): { metadata?: Record<string, { picture?: string; drawn?: string } | undefined> };
  set(at: number, output: object): void;
};

type OutputMessage = {
  data: object;
  metadata: Record<string, { drawn?: string } | undefined>;
  transient?: { display_id?: string };
};

type Signal<Message> = {
  connect(heard: (sender: unknown, message: Message) => void): void;
  disconnect(heard: (sender: unknown, message: Message) => void): void;
};

interface ParentNode {
  querySelector(selectors: string): El | null;
  querySelectorAll(selectors: string): NodeListOf<El>;
}

type El = HTMLElement;
type Input = HTMLInputElement;

/** An event at one of our elements: what a listener in a template is called with. */
type At = KeyboardEvent & ToggleEvent & { readonly currentTarget: Input; readonly target: Input };

/** What an element holds: text, elements, templates, lists of these, and nothing. */
type Content = object | string | number | null | undefined;

/** What stands in a template: text, content, or a listener. */
type TemplateValue = ((event: At) => unknown) | Content | boolean | symbol;

/** A button: an icon, a label or both. `reason` says why it cannot be used now. */
interface ButtonOptions {
  label: string;
  glyph?: string;
  title?: string;
  reason?: string | null;
  kind?: string;
  quiet?: boolean;
  /** Its name, by which focus comes back to it. */
  f?: string;
  pressed?: boolean;
  expanded?: boolean;
  controls?: string;
  describedby?: string;
  popup?: boolean;
  tabindex?: string;
  act?: string;
  style?: string;
  /** Whether it changes something though its label does not tell. */
  changes?: boolean;
  autofocus?: boolean;
  onclick: (pressed: El) => unknown;
}

/** A dialog. `act` is called when it is confirmed; `careful` begins on the button that changes nothing. */
/** What can be done from a toast. */
interface ToastAction {
  label: string;
  act: (pressed: El) => unknown;
}

/** A rectangle of the window, in px. */
interface Box {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

interface DialogOptions {
  frame: Frame;
  title: string;
  body: Content | (() => Content);
  confirm?: string | null;
  /** Why it cannot be confirmed now. */
  reason?: string | null;
  /** Whether it is not known yet what would be confirmed. */
  waits?: boolean;
  cancel?: string;
  danger?: boolean;
  careful?: boolean;
  wide?: boolean;
  kind?: string;
  /** What stands before the buttons. */
  actions?: Content;
  /** What is asked in place of the form, and with which buttons. */
  question?: { body: Content; actions: Content } | null;
  act?: (pressed: El) => unknown;
  onclose?: (value: string) => unknown;
}

/** One of several; `reason` says why it cannot be chosen. */
interface Choice<Value> {
  value: Value;
  label: string;
  hint?: string | null;
  reason?: string | null;
  /** What belongs to it. */
  more?: Content;
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
  onclick: (opener: El) => unknown;
}

/** A row with a description, which is edited in its list. */
interface DescribedRow extends ListRow {
  description: string;
  version: number;
}

/** What tells the description of one list from that of another. */
interface DescriptionOptions {
  /** Whether a label stands above the text that is typed. */
  labelled?: boolean;
  /** `version` is that of the row that the edit is based on, so that another edit meanwhile is not lost. */
  save: (edit: { id: number; version: number; description: string }, pressed: El) => Promise<unknown>;
}

/** A description that is being typed. */
type DescriptionDraft = {
  before: string;
  version: number;
  text: string;
  busy?: boolean;
  refused?: boolean;
  error?: string;
};

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

/** Where experiments are shown, in a list or one by itself: what their dialogs and details ask of it. */
interface ExperimentsHost extends RowsHost {
  typed: FormDrafts | null;
  place: import("./agent_place.js").AgentPlace;
  arrive(made: Named, said: string, focus?: boolean): void;
}

/** Where agents are shown, in a list or one by itself. */
interface AgentsHost extends RowsHost {
  session: import("./agent_session.js").AgentSession;
  detail(id: number): AgentDetailRow | undefined;
  draw(): void;
}

/** Where a description is shown, and edited. */
interface DescriptionsHost extends RowsHost {
  drafts: Map<number, DescriptionDraft>;
  draw(): void;
}

/** What holds rows of which one can be deleted; focus goes to a neighbour then. */
interface RowsHost {
  frame: Frame;
  noun: string;
  rows: ListRow[];
  page: Page;
  lines: El;
  row(id: number): ListRow | undefined;
}

type Dialog = ReturnType<typeof import("./dialogs.js").openDialog>;
type Builder = import("./pipeline.js").Builder;
type Frame = import("./frame.js").Frame;
type StageGraph = import("./stage_graph.js").StageGraph;
type PagedTable<R extends ListRow = ListRow> = import("./paged_table.js").PagedTable<R>;
type MetricChart = import("./metric_chart.js").MetricChart;
type ChartGroup = import("./chart_style.js").ChartGroup;

/** Where a chain is drawn. */
type Pan = { x: number; y: number };

/** What Cytoscape gives of a node or an edge, as far as we use it. */
interface CytoscapeElement {
  id(): string;
  data(name: string): unknown;
  data(name: string, value: unknown): void;
  data(values: object): void;
  empty(): boolean;
  grabbed(): boolean;
  position(): Pan;
  position(at: Pan): void;
  classes(names: string): void;
  connectedEdges(): CytoscapeElements;
}

interface CytoscapeElements {
  filter(test: (element: CytoscapeElement) => boolean): CytoscapeElements;
  remove(): void;
  addClass(name: string): void;
  removeClass(name: string): void;
}

interface CytoscapeCore {
  add(element: object): void;
  autoungrabify(on: boolean): void;
  autounselectify(on: boolean): void;
  batch(act: () => void): void;
  boxSelectionEnabled(on: boolean): void;
  destroy(): void;
  elements(): CytoscapeElements;
  getElementById(id: string): CytoscapeElement;
  maxZoom(zoom: number): void;
  minZoom(zoom: number): void;
  on(event: string, heard: () => void): void;
  on(event: string, selector: string, heard: (event: { target: CytoscapeElement }) => void): void;
  pan(): Pan;
  resize(): void;
  style(rules: object[]): void;
  userZoomingEnabled(on: boolean): void;
  viewport(view: { zoom: number; pan: Pan }): void;
}

/** What draws a chain under its layer. */
interface ChainRenderer {
  name: string;
  show(stages: Stage[], layout: ChainLayout): void;
  place(id: number, position: Pan): void;
  loosen(id: number, loose: boolean): void;
  paint(): void;
  look(zoom: number, pan: Pan): void;
  resize(): void;
  end(): void;
}

/** How a chain is laid out in rows; lengths are without zoom, in px. */
interface ChainLayout {
  stages: number;
  columns: number;
  rows: number;
  /** Whether they stand one below the other. */
  isStack: boolean;
  /** The room beside the rows. */
  side: number;
  /** The room above and below the rows. */
  brim: number;
  card: { width: number; height: number };
  width: number;
  height: number;
}

/**
 * A line of a chart; `ended`: no more points will come; `resumed`: where a run went on from another one, whose
 * points come before.
 */
interface Series {
  key?: number;
  name: string;
  points: Point[];
  style: LineStyle;
  ended?: boolean;
  resumed?: Step[];
}

/** When steps were reported, in seconds since the start: in the order of the steps. */
type Clock = [step: Step, seconds: number][];

/** A stage on an axis of all stages: from where to where its run lies. */
type ChartBand = { number: number; name: string; first: Step; last: Step };

/** What lies along a chart. */
interface ChartAxis {
  name: string;
  /** How a table calls it. */
  column: string;
  /** How a sentence says that it lies along it. */
  along: string;
  bands?: ChartBand[];
  title(last: number): string;
  say(place: Step): string;
  short(place: Step): string;
  /** The value in a table, where that is another one. */
  value?(place: Step): number;
  ticks(low: number, high: number, most: number, last: number): number[];
  texts(
    scale: import("./steps.js").StepScale,
    ticks: number[],
    last: number,
  ): { texts: string[]; from: string };
}

/** What a chart is told to show: `best` is a step to mark, `smoothing` the weight of what came before. */
interface ChartOptions {
  title: string;
  series: Series[];
  best?: Step | null;
  smoothing?: number;
  axis?: ChartAxis;
}

/** A line of a chart as a table has it. */
type PlottedLine = { name: string; points: Point[]; smoothed?: Point[]; places?: Step[] };

/** What a chart draws, in px. */
interface ChartPicture {
  title: string;
  width: number;
  height: number;
  area: { left: number; top: number; width: number; height: number };
  colours: { ground: string; text: string; soft: string; grid: string };
  axes: Record<"x" | "y", { title: string; ticks: [at: number, text: string][] }>;
  bands: { from: number; to: number; name: string; shaded: boolean }[];
  lines: { points: ([x: number, y: number] | null)[]; colour: string; dash: number[]; opacity: number }[];
  keys: { name: string; colour: string; dash: number[] }[];
  note: string;
}

/** How a chart is laid out. */
interface ChartLayout {
  height?: number;
  group?: ChartGroup;
  heading?: Content;
  tools?: Content;
  compact?: boolean;
}

/** What uPlot gives of a chart. */
interface Plot {
  width: number;
  height: number;
  ctx: CanvasRenderingContext2D;
  bbox: { left: number; top: number; width: number; height: number };
  over: El;
  cursor: { left: number; top: number; idx: number | null };
  select: { left: number; width: number };
  series: { alpha?: number }[];
  axes: { _splits: number[] | null; _values: string[] | null }[];
  batch(act: () => void): void;
  destroy(): void;
  redraw(rebuild: boolean): void;
  setCursor(place: { left: number; top: number }, fire: boolean, publish: boolean): void;
  setData(data: PlotData, rescale: boolean): void;
  setScale(axis: string, range: { min: number; max: number }): void;
  setSelect(select: { left: number; width: number; top: number; height: number }, fire: boolean): void;
  setSize(size: { width: number; height: number }): void;
  posToVal(at: number, axis: string): number;
  valToPos(value: number | null | undefined, axis: string, canvas?: boolean): number;
}

/** Places, and the values of each series there: null for a gap, undefined where it has no point. */
type PlotData = (number | null | undefined)[][];

/** How a series is drawn. */
type LineStyle = { colour: number; dash: number[]; mark: string; hollow: boolean };
