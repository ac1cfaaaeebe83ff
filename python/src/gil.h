// Python's global lock, let go and taken again. Use these in place of nanobind's.
//
// A daemon thread that comes back to the lock while the interpreter ends is ended by Python before 3.14, by unwinding
// it; frames of C++ on its stack would abort the process. Here it stays for ever instead, as from 3.14 on. In C, for
// there a cleanup is no matter of exceptions, and runs before the unwinding reaches frames of C++.
#pragma once

#include <Python.h>

#ifdef __cplusplus
extern "C" {
#endif
void dicube_take_lock_back(PyThreadState* state);
PyGILState_STATE dicube_take_lock(void);
#ifdef __cplusplus
}

namespace dicube::python {

// While it lives, the lock is let go. REQUIRES: it is held.
class Released {
 public:
  Released() : state_(PyEval_SaveThread()) {}
  ~Released() { dicube_take_lock_back(state_); }
  Released(const Released&) = delete;
  Released& operator=(const Released&) = delete;

 private:
  PyThreadState* state_;
};

// While it lives, the lock is held.
class Acquired {
 public:
  Acquired() : state_(dicube_take_lock()) {}
  ~Acquired() { PyGILState_Release(state_); }
  Acquired(const Acquired&) = delete;
  Acquired& operator=(const Acquired&) = delete;

 private:
  PyGILState_STATE state_;
};

}  // namespace dicube::python
#endif
