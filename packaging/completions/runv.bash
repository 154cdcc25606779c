# bash completion for runv, made from the table of runv's commands

_runv_command() {
  kind=none container='' below='' flags=''
  case $1 in
@COMMANDS@
    *) return 1 ;;
  esac
}

_runv_value() {
  value=''
  case $1 in
@VALUES@
  esac
}

_runv() {
  local kind container below flags value='' at=${1##*/} count=0 first=0 root='' word i current
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    case $word in
    -*)
      _runv_value "$at $word"
      # A = parts words, and is one.
      if [ "${COMP_WORDS[i + 1]-}" = "=" ]; then i=$((i + 1)); fi
      [ -n "$value" ] || continue
      i=$((i + 1))
      [ "$i" -lt "$COMP_CWORD" ] || break
      [ "$word" != --root ] || root=${COMP_WORDS[i]}
      value=''
      ;;
    *)
      if [ "$count" = 0 ] && _runv_command "$at $word"; then at="$at $word"; else count=$((count + 1)); fi
      ;;
    esac
  done
  current=${COMP_WORDS[COMP_CWORD]-}
  [ "$current" != "=" ] || current=''
  if [ -n "$value" ]; then
    case $value in
    choices*) mapfile -t COMPREPLY < <(compgen -W "${value#choices }" -- "$current") ;;
    files) _runv_files -f "$current" ;;
    directories) _runv_files -d "$current" ;;
    esac
    return 0
  fi
  _runv_command "$at" || return 0
  [ "$kind" != words ] || first=1
  if [ "${current:0:1}" = - ]; then
    mapfile -t COMPREPLY < <(compgen -W "$flags" -- "$current")
  elif [ "$kind" != none ] && [ "$count" = 0 ]; then
    mapfile -t COMPREPLY < <(compgen -W "$below" -- "$current")
  elif [ -n "$container" ] && [ "$count" = "$first" ]; then
    mapfile -t COMPREPLY < <(compgen -W "$(runv ${root:+--root "$root"} list -q 2>/dev/null)" -- "$current")
  else
    _runv_files -f "$current"
  fi
}

_runv_files() {
  compopt -o filenames 2>/dev/null
  mapfile -t COMPREPLY < <(compgen "$1" -- "$2")
}

complete -F _runv @PROGRAMS@
