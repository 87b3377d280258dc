// bench/blocking.svg: how long a start blocks the JavaScript thread, against the memory that is resident; from what
// `npm run bench -- start` has measured. Drawn by echarts, which comes as an npm package into target/tools.
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { installed } from './contenders.mjs'
import { GiB, MiB, median } from './measure.mjs'

const MEMORY = [
  ['50 MiB', 50 * MiB, ''],
  ['1 GiB', GiB, ', 1 GiB'],
  ['4 GiB', 4 * GiB, ', 4 GiB'],
]
const LINES = [
  ['node:child_process', 'child_process', '#c0392b'],
  ['Bun.spawn', 'Bun', '#7f8c8d'],
  ['command-root', 'ours', '#1f6feb'],
  ['C: openat2, fstat, clone, execveat', 'C', '#2d333b'],
]

export function plot() {
  const { machine, samples } = measured()
  const series = LINES.filter(([, key]) => samples[key]).map(([name, key, color]) => ({
    name,
    type: 'line',
    symbolSize: 7,
    color,
    // Who was measured with one size of memory alone is a level to compare with.
    lineStyle: samples[`${key}, 4 GiB`] ? {} : { type: 'dashed', width: 1 },
    showSymbol: Boolean(samples[`${key}, 4 GiB`]),
    data: MEMORY.map(([label, , suffix]) => [label, median((samples[`${key}${suffix}`] ?? samples[key]).block)]),
  }))
  const file = new URL('blocking.svg', import.meta.url)
  writeFileSync(file, `${draw(machine, series)}\n`)
  console.log(`${file.pathname}: ${series.map(({ name }) => name).join(', ')}`)
}

function measured() {
  try {
    return JSON.parse(readFileSync(new URL('../target/bench/start.json', import.meta.url), 'utf8'))
  } catch (cause) {
    throw new Error('there is nothing to draw yet: run `npm run bench -- start` first', { cause })
  }
}

function draw(machine, series) {
  const echarts = createRequire(`${installed('echarts@6.1.0')}/`)('echarts')
  const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, width: 720, height: 380 })
  chart.setOption({
    animation: false,
    backgroundColor: '#ffffff',
    title: {
      text: 'How long starting /usr/bin/true blocks the JavaScript thread',
      subtext: `µs, median, by resident memory; less is better. ${machine}`,
      left: 16,
      top: 10,
      textStyle: { fontSize: 15 },
      subtextStyle: { fontSize: 11 },
    },
    legend: { bottom: 8, itemGap: 24 },
    grid: { left: 96, right: 32, top: 74, bottom: 66 },
    xAxis: { type: 'category', data: MEMORY.map(([label]) => label), boundaryGap: false },
    yAxis: { type: 'log', min: 10, axisLabel: { formatter: '{value} µs' } },
    series,
  })
  return chart.renderToSVGString()
}
