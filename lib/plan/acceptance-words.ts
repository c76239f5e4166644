/** The closed lists by which an acceptance test is a command or prose. Case counts in all but PLAIN_ENGLISH. */

const words = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/));

export const PROGRAMS: ReadonlySet<string> = words(`
  python python3 python3.8 python3.9 python3.10 python3.11 python3.12 python3.13 python3.14 pypy3 py
  pytest tox nox coverage mypy pyright ruff black flake8 isort pylint bandit pip pip3 pipenv poetry uv uvx hatch pdm
  pre-commit django-admin alembic sphinx-build mkdocs
  node npm npx pnpm yarn bun bunx deno tsc tsx ts-node jest vitest mocha ava playwright cypress eslint prettier biome
  markdownlint markdownlint-cli2 stylelint webpack vite rollup rolldown turbo nx ng
  cargo rustc rustfmt go gofmt golangci-lint staticcheck
  make cmake ctest ninja meson bazel just gcc g++ clang clang-tidy
  java javac mvn gradle sbt kotlinc dotnet msbuild swift xcodebuild
  ruby bundle rake rspec rubocop gem php composer phpunit phpstan perl prove mix elixir ghc cabal stack zig lua dart
  flutter julia Rscript
  git gh grep egrep fgrep rg ag sed awk find fd xargs ls cat head tail wc sort uniq cut tr diff cmp comm tee
  test [ true false echo printf cd cp mv rm mkdir touch stat file du which command type env timeout sh bash zsh
  jq yq xmllint yamllint jsonlint ajv check-jsonschema actionlint shellcheck shfmt hadolint ast-grep sg
  curl wget docker docker-compose podman kubectl helm terraform tflint ansible-lint
  sqlite3 psql mysql redis-cli sqlfluff protoc buf openssl sha256sum md5sum tar unzip gzip
`);

/** Programs whose names are also English words, or common in sentences: what follows is judged strictly. */
export const ENGLISH_PROGRAMS: ReadonlySet<string> = words(`
  go make just git test find sort cut head tail diff file which command type env timeout stack prove mix black nox
  bundle perl ruby java swift dart rake buf cat touch stat true false echo
`);

/** Words that no command needs unquoted, and that sentences are made of. Lower case. */
export const PLAIN_ENGLISH: ReadonlySet<string> = words(`
  a an the this that these those it its they their there
  is are was were be been being am has have had does did do
  must should shall will would can cannot could may might
  of no not with without and or but nor to in on at by for from as into onto than then when where while if unless
  until after before during across between within under over about against per via through throughout
  all any each every both some most more less only also still again once always never now
  pass passes passed passing fail fails failed failing work works worked working succeed succeeds succeeded
  runs ran running exits returns returned returning prints printed shows shown finds found reports reported
  produces creates created contains exists compiles builds completes completed finishes finished starts loads
  outputs emits generates writes displays lists responds answers serves handles accepts rejects raises throws detects
  supports behaves
  validates validated verifies verified remain remains stay stays become becomes gives imports updated moved removed added fixed handled supported implemented documented covered
  clean green red successful successfully success correct correctly proper properly cleanly fine good okay ready
  valid invalid unchanged identical same new old existing sure least anything nothing everything something
  errors warnings regressions failures issues problems
`);

const LINT_LEVELS = ['-D', '-W', '-A', '-F', '--deny', '--warn', '--allow', '--forbid'];

/** English words where they are the value of an option: `warnings` is also the name of a group of Rust's lints. */
export const ENGLISH_VALUES: ReadonlySet<string> = new Set(
  ['cargo', 'rustc'].flatMap((program) => LINT_LEVELS.map((option) => `${program} ${option} warnings`)),
);

/** What may follow a program as a word of its own: `npm test`, `make check`, `go vet`. */
export const KNOWN_PAIRS: ReadonlyMap<string, ReadonlySet<string>> = new Map(
  Object.entries({
    npm: 'clean validate verify test t run run-script ci install audit exec start pack ls outdated',
    pnpm: 'clean validate verify test t run install audit exec start build lint typecheck check',
    yarn: 'clean validate verify test run install audit exec start build lint typecheck check',
    bun: 'clean validate verify test run install build x',
    deno: 'test run lint check fmt task bench',
    npx: `tsc eslint jest vitest mocha ava prettier biome markdownlint markdownlint-cli2 playwright cypress stylelint
      ts-node tsx knip publint webpack vite rollup turbo nx ng`,
    bunx: 'tsc eslint jest vitest prettier biome',
    cargo: 'test build check clippy fmt run bench doc nextest audit deny install clean metadata tree',
    go: 'test build vet run fmt mod generate install list tool version',
    make: `check test tests all build clean lint install docs doc html format fmt typecheck types verify ci dist
      distcheck coverage bench benchmark unit integration e2e smoke validate release package help`,
    just: 'check test build lint fmt ci verify',
    git: 'status diff log show rev-parse rev-list ls-files ls-tree grep merge-base cat-file fsck branch tag describe blame',
    gh: 'run workflow api pr issue',
    pip: 'check install list show freeze',
    pip3: 'check install list show freeze',
    pipenv: 'run check',
    poetry: 'run check install build lock',
    uv: 'run sync pip lock tool build',
    uvx: 'pytest ruff mypy black',
    hatch: 'run test build fmt',
    pdm: 'run test build',
    coverage: 'run report xml html combine',
    ruff: 'check format',
    alembic: 'check upgrade downgrade current heads',
    mkdocs: 'build',
    'pre-commit': 'run',
    bazel: 'test build run',
    mvn: 'test verify package clean compile install',
    gradle: 'test build check clean assemble',
    sbt: 'test compile',
    dotnet: 'test build run format restore publish',
    swift: 'test build run',
    bundle: 'exec install check',
    rake: 'test spec lint build',
    composer: 'test validate install run check',
    mix: 'test compile format credo dialyzer',
    cabal: 'test build check',
    stack: 'test build',
    zig: 'test build fmt',
    dart: 'test analyze format',
    flutter: 'test analyze build',
    terraform: 'validate plan fmt init',
    helm: 'lint template',
    kubectl: 'apply get diff',
    docker: 'build compose run ps images inspect',
    'docker-compose': 'config build up ps run',
    buf: 'lint build breaking',
    'golangci-lint': 'run',
    playwright: 'test',
    cypress: 'run',
    vitest: 'run bench',
    biome: 'check lint format ci',
    turbo: 'run build test lint',
    nx: 'test build lint run-many affected',
    ng: 'test build lint',
    vite: 'build',
    'ast-grep': 'scan test run',
    sg: 'scan test run',
    env: 'python python3 pytest node npm npx cargo go make',
  }).map(([program, followers]) => [program, words(followers)]),
);
