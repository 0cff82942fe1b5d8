export declare const uPlot: any;
