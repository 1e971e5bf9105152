/**
 * Environment variables that decide which code a program loads or runs, regardless of its command line.
 *
 * @module
 */

// Grouped by family: system loaders and shells, then variables from which interpreters, build tools and git take options or code.
const LOADERS = [
  /^(?:LD|DYLD|GCONV|GLIBC)_/,
  /^(?:PATH|PATHEXT|COMSPEC|SHELL|HOME|USERPROFILE|IFS|ENV|BASH_ENV|ZDOTDIR|PS4|PROMPT_COMMAND|SHELLOPTS|BASHOPTS)$/,
  /^(?:BASH_FUNC_|XDG_CONFIG_|XDG_DATA_)/,
  /^(?:EDITOR|VISUAL|PAGER|BROWSER|SSH_ASKPASS|SUDO_ASKPASS|LESSOPEN|LESSCLOSE)$/,
  /^GIT_/,
  /^(?:NODE_OPTIONS|NODE_PATH|NODE_REPL_EXTERNAL_MODULE|ELECTRON_RUN_AS_NODE|BUN_OPTIONS|DENO_DIR|TS_NODE_.*)$/,
  /^(?:NPM_CONFIG|YARN|PNPM|COREPACK)_/,
  /^(?:PYTHON|PERL5|RUBY|GEM_|BUNDLE_|LUA_|JULIA_|R_PROFILE|R_ENVIRON|PHP)/,
  /^(?:PERLLIB|PIP_CONFIG_FILE|VIRTUAL_ENV|IRBRC)$/,
  /^(?:JAVA_TOOL_OPTIONS|_JAVA_OPTIONS|JDK_JAVA_OPTIONS|JAVA_HOME|CLASSPATH|MAVEN_OPTS|GRADLE_OPTS|SBT_OPTS)$/,
  /^(?:DOTNET_STARTUP_HOOKS|DOTNET_ADDITIONAL_DEPS|DOTNET_SHARED_STORE|CORECLR_.*|COR_.*|MSBUILD.*)$/,
  /^(?:CARGO|RUSTC|RUSTUP)_/,
  /^(?:RUSTC|RUSTFLAGS|GOFLAGS|GOROOT|MAKEFLAGS|CC|CXX|CFLAGS|LDFLAGS|OPENSSL_CONF|OPENSSL_ENGINES|OPENSSL_MODULES)$/,
]

/** Whether a variable decides which code runs. Case-insensitive, like Windows and npm. */
export function isLoaderVariable(key: string): boolean {
  const name = key.toUpperCase()
  return LOADERS.some((pattern) => pattern.test(name))
}
