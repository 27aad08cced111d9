"""How the page of a diagnosis report looks: on a phone, on a desk, on paper, in the dark."""

STYLE = """
:root{color-scheme:light dark;--pass:#1a7f37;--warn:#9a6700;--fail:#cf222e;--line:#8884;--ink:#1f2328;--paper:#fff;
--soft:#57606a;--c0:#0072b2;--c1:#d55e00;--c2:#009e73;--c3:#cc79a7;--c4:#b8860b;--c5:#56b4e9;--c6:#7b4fbf;--c7:#555}
@media(prefers-color-scheme:dark){:root{--pass:#3fb950;--warn:#d29922;--fail:#f85149;--ink:#e6edf3;--paper:#0d1117;
--soft:#9198a1;--c0:#58a6ff;--c1:#ff8c42;--c2:#2fd3a5;--c3:#e29fc8;--c4:#e0b64a;--c6:#b392f0;--c7:#aaa}}
*{box-sizing:border-box}body{font:16px/1.45 system-ui,sans-serif;color:var(--ink);background:var(--paper);margin:0 auto;
padding:1rem;max-width:76rem;overflow-wrap:anywhere}h1{font-size:1.5rem;margin:.2rem 0}h2{font-size:1.2rem;
margin:1.8rem 0 .4rem;border-top:2px solid var(--line);padding-top:.7rem}h3{font-size:1rem;margin:1.2rem 0 .3rem}
p{margin:.3rem 0}.soft{color:var(--soft)}.PASS{color:var(--pass)}.WARN{color:var(--warn)}.FAIL{color:var(--fail)}
.badge{font-weight:700}dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem .8rem;margin:.6rem 0;
font-size:.85rem}dt{color:var(--soft)}dd{margin:0}.part{border-top:1px solid var(--line);padding:.45rem 0;display:grid;
grid-template-columns:3.5rem 13rem 1fr;gap:.1rem .6rem}.part .body{grid-column:3}.finding{margin:.15rem 0}
.finding pre{font:inherit;white-space:pre-wrap;margin:0;display:inline}.remedy::before{content:"\\2192\\00a0"}
.remedy{font-weight:600}.plots{display:grid;gap:.8rem .6rem;
grid-template-columns:repeat(auto-fill,minmax(15rem,1fr))}figure{margin:0}
figcaption{font-size:.8rem;color:var(--soft)}figcaption b{color:var(--ink)}svg{width:100%;height:auto;display:block}
svg text{font:10.5px system-ui,sans-serif;fill:var(--soft)}svg .dim{font-size:9px;opacity:.8}
svg .halo{paint-order:stroke;stroke:var(--paper);stroke-width:3px}.whole{white-space:nowrap}
.key{display:inline-block;
width:.7rem;height:.7rem;border-radius:50%;margin:0 .25rem 0 .5rem}ul{padding-left:1.2rem;margin:.4rem 0}
@media(max-width:40rem){.part{grid-template-columns:3.5rem 1fr}.part .body{grid-column:1/-1}.plots{
grid-template-columns:1fr}dl{grid-template-columns:1fr}dt{margin-top:.3rem}}
@media print{:root{color-scheme:light;--pass:#1a7f37;--warn:#9a6700;--fail:#cf222e;--ink:#000;--paper:#fff;--soft:#444;
--c0:#0072b2;--c1:#d55e00;--c2:#009e73;--c3:#cc79a7;--c4:#b8860b;--c6:#7b4fbf;--c7:#555}body{font-size:10pt;padding:0;
max-width:none}figure,.part{break-inside:avoid}h2,h3{break-after:avoid}.plots{grid-template-columns:repeat(3,1fr)}
.part{grid-template-columns:3.5rem 11rem 1fr}.part .body{grid-column:3}}
"""
