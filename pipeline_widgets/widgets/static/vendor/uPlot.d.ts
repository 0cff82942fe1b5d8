export declare const uPlot: new (options: object, data: PlotData, place: Element) => Plot;
