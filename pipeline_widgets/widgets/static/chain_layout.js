// Where the stages of a chain stand: from left to right, and in as many rows as the room asks for. Where a
// row has room for one only, they are stacked, and the arrows lead down. A place is given without zoom; the
// corner of a chain is at 0, 0.

export const ZOOM = { least: 0.5, most: 1.6, far: 0.9 }; // below `far` a card shows its number and its name
const CARD_SIZE = { height: 110, least: 196, usual: 212, most: 236, stacked: 300 };
const STAGE_GAP = 52; // between two cards of a row
const ROW_LANE = 44; // between two rows; the arrow from one row to the next lies there
const ROW_SIDE = 40; // beside the rows, for the "+" at their ends
const CHAIN_BRIM = 20; // above and below the rows
const STACK_SIDE = 16; // beside a stack, whose "+" stand above and below
const STACK_BRIM = 38; // the same where the "+" of both ends stand there
const LEAVES = 14; // from a row's last card to where its arrow turns down

/**
 * Lay out a chain in a width, given in px.
 * @param {{ width: number, zoom: number, stages: number }} room
 * @returns {ChainLayout}
 */
export function layChain({ width, zoom, stages }) {
  const room = width / zoom;
  const most = Math.max(1, Math.floor((room - 2 * ROW_SIDE + STAGE_GAP) / (CARD_SIZE.least + STAGE_GAP)));
  const columns = Math.max(1, Math.min(most, stages));
  const rows = Math.max(1, Math.ceil(stages / columns)),
    isStack = columns === 1 && rows > 1,
    side = isStack ? STACK_SIDE : ROW_SIDE,
    brim = isStack ? STACK_BRIM : CHAIN_BRIM;
  const widest = isStack ? CARD_SIZE.stacked : rows > 1 ? CARD_SIZE.most : CARD_SIZE.usual;
  const each = Math.floor((room - 2 * side - (columns - 1) * STAGE_GAP) / columns);
  const card = { width: Math.max(120, Math.min(widest, each)), height: CARD_SIZE.height };
  return {
    stages,
    columns,
    rows,
    isStack,
    side,
    brim,
    card,
    width: columns * (card.width + STAGE_GAP) - STAGE_GAP + 2 * side,
    height: rows * (card.height + ROW_LANE) - ROW_LANE + 2 * brim,
  };
}

/**
 * Where a stage stands: the middle of its card.
 * @param {ChainLayout} layout
 * @param {number} at
 */
export function place({ columns, card, side, brim }, at) {
  const row = Math.floor(at / columns);
  return {
    x: side + card.width / 2 + (at - row * columns) * (card.width + STAGE_GAP),
    y: brim + card.height / 2 + row * (card.height + ROW_LANE),
  };
}

/**
 * Where the "+" stands that inserts a stage at a position: before that stage, in its row.
 * @param {ChainLayout} layout
 * @param {number} at
 */
export function plusPlace(layout, at) {
  const last = at > 0 && at === layout.stages;
  const { x, y } = place(layout, last ? at - 1 : at);
  if (layout.isStack) {
    const above = (layout.card.height + ROW_LANE) / 2;
    return { x, y: last ? y + above : y - above };
  }
  const aside = (layout.card.width + STAGE_GAP) / 2;
  return { x: last ? x + aside : x - aside, y };
}

/**
 * Whether a stage begins a row, so that the arrow to it turns.
 * @param {ChainLayout} layout
 * @param {number} at
 */
export const beginsRow = ({ columns, isStack }, at) => at > 0 && at % columns === 0 && !isStack;

/**
 * The bends of the arrow to the first stage of a row: right, down, back below the row above, and down again.
 * @param {ChainLayout} layout
 * @param {number} at
 */
export function rowTurn(layout, at) {
  const { card } = layout,
    from = place(layout, at - 1),
    to = place(layout, at);
  const right = from.x + card.width / 2 + LEAVES,
    left = plusPlace(layout, at).x,
    lane = to.y - card.height / 2 - ROW_LANE / 2;
  return [
    { x: right, y: from.y },
    { x: right, y: lane },
    { x: left, y: lane },
    { x: left, y: to.y },
  ];
}

/**
 * The same as Cytoscape asks for it: how far along the line from stage to stage each bend is, as a share of
 * it, and how far beside it. All rows turn alike.
 * @param {ChainLayout} layout
 */
export function turnSegments(layout) {
  const at = layout.columns,
    from = place(layout, at - 1),
    to = place(layout, at);
  const along = { x: to.x - from.x, y: to.y - from.y },
    length = Math.hypot(along.x, along.y);
  const bends = rowTurn(layout, at).map(({ x, y }) => ({ x: x - from.x, y: y - from.y }));
  return {
    weights: bends.map(({ x, y }) => (x * along.x + y * along.y) / length ** 2),
    distances: bends.map(({ x, y }) => (y * along.x - x * along.y) / length),
  };
}

/**
 * Between which stages a point is: the position at which a stage would be inserted there, and the middle of
 * that gap.
 * @param {ChainLayout} layout
 * @param {Pan} point
 */
export function gapAt(layout, { x, y }) {
  const { stages, columns, rows, card, side, brim } = layout;
  const high = card.height + ROW_LANE,
    wide = card.width + STAGE_GAP;
  if (layout.isStack) {
    const index = Math.max(0, Math.min(stages, Math.round((y - brim + ROW_LANE / 2) / high)));
    return { index, ...plusPlace(layout, index) };
  }
  const row = Math.max(0, Math.min(rows - 1, Math.floor((y - brim + ROW_LANE / 2) / high)));
  const filled = Math.min(columns, stages - row * columns);
  const column = Math.max(0, Math.min(filled, Math.round((x - side + STAGE_GAP / 2) / wide)));
  return {
    index: row * columns + column,
    x: side - STAGE_GAP / 2 + column * wide,
    y: brim + card.height / 2 + row * high,
  };
}

/**
 * The stages of the rows between two heights, and of a row more on either side.
 * @param {ChainLayout} layout
 * @param {number} top
 * @param {number} bottom
 */
export function stagesBetween({ stages, columns, card, brim }, top, bottom) {
  const high = card.height + ROW_LANE;
  const first = Math.max(0, Math.floor((top - brim) / high) - 1),
    last = Math.max(0, Math.floor((bottom - brim) / high) + 1);
  return { from: Math.min(stages, first * columns), to: Math.min(stages, (last + 1) * columns) };
}
