"use strict";
// Drawing of what has a shape: the foresight's error over time, and the chunk's path.

const SVG = "http://www.w3.org/2000/svg";

/** An SVG element with attributes. */
function shape(kind, attributes, text) {
  const element = document.createElementNS(SVG, kind);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

/** Points as an SVG path. */
function line(points) {
  return points.map(([x, y], index) => `${index ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
}

/** PSNR of each foreseen image over time, beside that of "nothing changes"; dB, higher is better. */
function drawErrors(svg, errors) {
  const [left, right, top, bottom] = [34, 474, 8, 138];
  const times = errors.map((error) => error[0]);
  const values = errors.flatMap((error) => [error[1], error[2]]).filter(Number.isFinite);
  const [from, to] = [Math.min(...times), Math.max(...times, Math.min(...times) + 1)];
  const low = Math.floor(Math.min(...values, 15) / 5) * 5;
  const high = Math.ceil(Math.max(...values, 30) / 5) * 5;
  const x = (time) => left + ((time - from) / (to - from)) * (right - left);
  const y = (value) => bottom - ((value - low) / (high - low)) * (bottom - top);
  svg.replaceChildren();
  for (let value = low; value <= high; value += 5) {
    svg.append(shape("line", { class: "axis", x1: left, x2: right, y1: y(value), y2: y(value) }));
    svg.append(shape("text", { x: 2, y: y(value) + 4 }, String(value)));
  }
  svg.append(shape("text", { x: left, y: 154 }, `${(to - from).toFixed(0)} s ago`));
  svg.append(shape("text", { x: right - 22, y: 154 }, "now"));
  const series = (index) =>
    errors.filter((error) => Number.isFinite(error[index])).map((error) => [x(error[0]), y(error[index])]);
  svg.append(shape("path", { class: "still", d: line(series(2)) }));
  const foreseen = series(1);
  svg.append(shape("path", { class: "foreseen", d: line(foreseen) }));
  for (const [cx, cy] of foreseen) svg.append(shape("circle", { class: "dot", cx, cy, r: 2.5 }));
}

/** One arm's path from above and from the side, in metres, to the same scale. */
function drawPath(holder, arm, points) {
  const views = [["from above", 0, 1, "x", "y"], ["from the side", 0, 2, "x", "z"]];
  for (const [title, across, up, first, second] of views) {
    const id = `${arm} ${title}`.trim();
    let figure = [...holder.children].find((child) => child.dataset.id === id);
    if (!figure) {
      figure = document.createElement("figure");
      figure.dataset.id = id;
      figure.append(shape("svg", { viewBox: "0 0 200 160", role: "img" }));
      figure.append(document.createElement("figcaption"));
      holder.append(figure);
    }
    const [svg, caption] = figure.children;
    const [xs, ys] = [points.map((point) => point[across]), points.map((point) => point[up])];
    const middle = (values) => (Math.min(...values) + Math.max(...values)) / 2;
    const span = (values) => Math.max(...values) - Math.min(...values);
    // Never closer than 10 cm: noise of a robot at rest would fill the view.
    const scale = Math.min(180 / Math.max(span(xs), 0.1), 140 / Math.max(span(ys), 0.1));
    const place = (point) => [
      100 + (point[across] - middle(xs)) * scale,
      80 - (point[up] - middle(ys)) * scale,
    ];
    const places = points.map(place);
    svg.replaceChildren(shape("path", { class: "foreseen", d: line(places) }));
    for (const [cx, cy] of places) svg.append(shape("circle", { class: "dot", cx, cy, r: 2 }));
    svg.append(shape("circle", { class: "start", cx: places[0][0], cy: places[0][1], r: 5 }));
    const bar = 0.05 * scale;
    svg.append(shape("line", { x1: 8, x2: 8 + bar, y1: 152, y2: 152, stroke: "currentColor" }));
    svg.append(shape("text", { x: 12 + bar, y: 156 }, "5 cm"));
    const end = points[points.length - 1];
    const text = `${id}: ends at ${first} ${end[across].toFixed(3)} m, ${second} ${end[up].toFixed(3)} m`;
    caption.textContent = text;
    svg.setAttribute("aria-label", text);
  }
}
