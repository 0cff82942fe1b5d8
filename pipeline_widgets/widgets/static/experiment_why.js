// Why the run of an experiment was broken off, and why the stages that it is bound to are stale.

import { openEditConfig } from "./edit_config.js";
import { experimentItems } from "./experiment_actions.js";
import { FailureCard } from "./failure_card.js";
import { openResume } from "./resume_dialog.js";
import { openRerun } from "./run_pipeline.js";
import { StaleCard } from "./stale_card.js";
import { isolated } from "./text.js";

export class ExperimentWhy {
  /** @param {ExperimentsHost} table */
  constructor(table) {
    this.table = table;
    this.frame = table.frame;
    this.failure = new FailureCard(this.frame);
    /** @type {Map<number, StaleCard>} */
    this.stale = new Map();
  }

  /**
   * @param {ExperimentRow} row
   * @param {ExperimentDetailRow} detail
   */
  show(row, { run, uses }) {
    const [train] = experimentItems(this.table, row);
    /** @type {FailureActions} */
    const on = {
      asks: false,
      locked: row.blockers.change,
      blocked: train.reason,
      resume: (pressed) => openResume(this.table, row, pressed, run?.id),
      over: (pressed) => train.onclick(pressed),
      edit: (pressed) => openEditConfig(this.table, row, pressed),
    };
    return [
      this.failure.show(run, on),
      uses.filter(({ reasons }) => reasons.length).map((use) => this.showStale(use)),
    ];
  }

  /** @param {UseRow} use */
  showStale({ pipeline, stage, stage_id: id, blocked, reasons }) {
    const card = this.stale.get(id) ?? new StaleCard();
    this.stale.set(id, card);
    return card.show(reasons, {
      title: `Why stage ${stage} of pipeline ${isolated(pipeline)} is stale`,
      blocked,
      rerun: (pressed) => openRerun({ frame: this.frame, stage: id, pressed, view: null }),
    });
  }

  /**
   * Take the whole error; `anew` is that of another run.
   * @param {FailedRun | null} run
   * @param {boolean} anew
   */
  tell(run, anew) {
    this.failure.tell(run, anew);
  }

  end() {
    this.failure.end();
  }
}
