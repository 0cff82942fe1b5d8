// What the tests ask of the page. One notebook is open in it; `panel` is its tab.
window.stand = (() => {
  const messages = [];
  const runs = new Map();
  const tapped = new WeakSet();

  const panel = () => {
    const widget = window.jupyterapp?.shell.currentWidget;
    return widget?.sessionContext && widget.content?.model ? widget : null;
  };
  const notebook = () => panel().content;
  const shared = () => notebook().model.sharedModel;
  const kernel = () => panel().sessionContext.session.kernel;

  const size = (msg) =>
    new TextEncoder().encode(JSON.stringify(msg.content)).length +
    (msg.buffers ?? []).reduce((sum, buffer) => sum + (buffer.byteLength ?? 0), 0);

  const tap = (connection) => {
    if (tapped.has(connection)) return;
    tapped.add(connection);
    connection.anyMessage.connect((_, { msg, direction }) => {
      const type = msg.header.msg_type;
      if (!type.startsWith("comm_")) return;
      messages.push([direction === "recv" ? "down" : "up", type, msg.content.comm_id ?? "", size(msg)]);
    });
  };

  // JupyterLab drops what a handler of comm messages throws.
  const listen = (connection) => {
    const comm = connection.createComm("stand"); // which the kernel never hears of
    const kind = Object.getPrototypeOf(comm);
    const { get, set } = Object.getOwnPropertyDescriptor(kind, "onMsg");
    const told = (handler) => async (msg) => {
      try {
        return await handler(msg);
      } catch (error) {
        console.error(`a comm message: ${error?.stack ?? error}`);
        throw error;
      }
    };
    Object.defineProperty(kind, "onMsg", {
      set,
      get() {
        const handler = get.call(this);
        return handler && told(handler);
      },
    });
    comm.dispose();
  };

  const idle = () =>
    new Promise((resolve) => {
      const connection = kernel();
      if (connection.status === "idle") return resolve();
      const look = () => {
        if (connection.status !== "idle") return;
        connection.statusChanged.disconnect(look);
        resolve();
      };
      connection.statusChanged.connect(look);
    });

  // Nothing in Playwright limits the time that a promise of the page may take.
  const call = (name, args, seconds) => {
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(
        () => reject(new Error(`stand.${name} took more than ${seconds} s`)),
        seconds * 1000,
      );
    });
    return Promise.race([stand[name](...args), late]).finally(() => clearTimeout(timer));
  };

  const stand = {
    messages: () => messages,
    forget: () => {
      messages.length = 0;
    },
    isOpen: () => !!panel()?.sessionContext.session?.kernel,
    kernelId: () => kernel().id,
    theme: () => document.body.dataset.jpThemeName,
    // JupyterLab's curtain is drawn while styles are loaded, and a moment longer.
    isTheme: (name) => stand.theme() === name && !document.getElementById("jupyterlab-splash"),
    cells: () => notebook().model.sharedModel.cells.map((cell) => cell.getSource()),

    // What a key can change when it reaches the notebook.
    state: () =>
      JSON.stringify([
        shared().cells.map((cell) => [cell.cell_type, cell.getSource()]),
        notebook().activeCellIndex,
        notebook().mode,
        !!document.querySelector(".jp-Dialog"),
      ]),

    async ready() {
      await window.jupyterapp.restored;
      await panel().context.ready;
      await panel().sessionContext.ready;
      await kernel().info;
      tap(kernel());
      listen(kernel());
      panel().sessionContext.kernelChanged.connect((_, { newValue }) => newValue && tap(newValue));
      await idle();
    },

    async start(source) {
      const index = shared().cells.length;
      shared().insertCell(index, { cell_type: "code", source, metadata: { trusted: true } });
      const cell = notebook().widgets[index];
      await cell.ready;
      notebook().mode = "command";
      notebook().deselectAll();
      notebook().activeCellIndex = index;
      runs.set(index, window.jupyterapp.commands.execute("notebook:run-cell"));
      cell.node.scrollIntoView();
      return index;
    },

    // The traceback of a cell that failed, or ''.
    async finish(index) {
      await runs.get(index);
      const outputs = notebook().widgets[index].model.outputs.toJSON();
      const failed = outputs.find((output) => output.output_type === "error");
      return failed ? failed.traceback.join("\n") : "";
    },

    // One cell has to stay: JupyterLab would add its own, a moment later.
    async clear(source) {
      if (kernel().status === "busy") {
        await kernel().interrupt();
        await Promise.all(runs.values());
        await idle();
      }
      runs.clear();
      shared().insertCell(0, { cell_type: "code", source });
      shared().deleteCellRange(1, shared().cells.length);
      shared().clearUndoHistory();
      notebook().mode = "command";
      notebook().activeCellIndex = 0;
      document.activeElement?.blur();
    },

    // Without a cell. When it is done, all that the kernel had sent before has arrived, too.
    async aside(code) {
      const { content } = await kernel().requestExecute({ code, silent: true, store_history: false }).done;
      if (content.status === "aborted") return stand.aside(code); // the kernel was clearing up an interrupt
      return content.status === "ok" ? "" : `${content.ename}: ${content.evalue}`;
    },

    clearOutputs: () => window.jupyterapp.commands.execute("notebook:clear-all-cell-outputs"),
    save: () => panel().context.save(),
    restart: () => kernel().restart().then(idle),
    shutdown: () => panel().sessionContext.shutdown(),
    setTheme: (theme) => window.jupyterapp.commands.execute("apputils:change-theme", { theme }),
  };
  return { ...stand, call };
})();
