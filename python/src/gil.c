#include "gil.h"

#include <pthread.h>
#include <unistd.h>

static void stay(void* nothing) {
  (void)nothing;
  for (;;) pause();
}

void dicube_take_lock_back(PyThreadState* state) {
  pthread_cleanup_push(stay, NULL);
  PyEval_RestoreThread(state);
  pthread_cleanup_pop(0);
}

PyGILState_STATE dicube_take_lock(void) {
  PyGILState_STATE state;
  pthread_cleanup_push(stay, NULL);
  state = PyGILState_Ensure();
  pthread_cleanup_pop(0);
  return state;
}
